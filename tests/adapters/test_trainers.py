"""Losses in training engines: exact over what a step accumulates, probabilities where a net predicts them."""

from __future__ import annotations

import ast
import copy
import pathlib
import re

import numpy as np
import pytest

import lossary
from lossary.errors import ShapeError, UsageError

torch = pytest.importorskip("torch")

from lossary.trainers.hugging_face import compute_loss_func  # noqa: E402
from lossary.trainers.skorch import predict_nonlinearity  # noqa: E402


def outputs(logits, name="SequenceClassifierOutput"):
    """What a model of transformers returns."""
    return type(name, (dict,), {})(logits=logits)


SPARSE = lossary.SparseCategoricalCrossEntropy()
CAUSAL, TOKENS = "CausalLMOutputWithPast", "TokenClassifierOutput"


def _labels(generator, *shape):
    labels = torch.randint(0, 3, shape, generator=generator)
    labels[torch.rand(shape, generator=generator) < 0.4] = -100
    return labels


def _cross_entropy(logits, labels):
    return torch.nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten())


# Each with the class of the outputs, the logits' shape, the labels, and the mean that a step should have.
CASES = {
    "causal": (SPARSE, CAUSAL, (8, 5, 3), lambda g: _labels(g, 8, 5), lambda z, y: _cross_entropy(z[:, :-1], y[:, 1:])),
    "tokens": (SPARSE, TOKENS, (8, 5, 3), lambda g: _labels(g, 8, 5), _cross_entropy),
    "classes": (SPARSE, "Output", (8, 3), lambda g: _labels(g, 8), _cross_entropy),
    "soft": (
        lossary.CategoricalCrossEntropy(),
        "Output",
        (8, 3),
        lambda g: torch.softmax(torch.randn(8, 3, generator=g), -1),
        torch.nn.functional.cross_entropy,
    ),
    "regression": (
        lossary.MeanSquaredError(),
        "Output",
        (8, 1),
        lambda g: torch.randn(8, generator=g),
        lambda z, y: torch.nn.functional.mse_loss(z[:, 0], y),
    ),
    "labels": (
        lossary.BinaryCrossEntropy(),
        "Output",
        (8, 4),
        lambda g: torch.where(torch.rand(8, 4, generator=g) < 0.3, -100.0, 1.0),
        lambda z, y: torch.nn.functional.binary_cross_entropy_with_logits(z[y != -100], y[y != -100]),
    ),
    "objective": (
        0.5 * lossary.Huber() + 0.5 * lossary.Huber(delta=2.0),
        "Output",
        (8,),
        lambda g: 4 * torch.randn(8, generator=g),
        lambda z, y: sum(torch.nn.functional.huber_loss(z, y, delta=delta) / 2 for delta in (1.0, 2.0)),
    ),
}


@pytest.mark.parametrize("as_it_is", [False, True], ids=["helper", "host"])
@pytest.mark.parametrize(("loss", "name", "shape", "labels", "wanted"), CASES.values(), ids=CASES)
def test_micro_batches_add_up_to_the_mean_of_the_whole(loss, name, shape, labels, wanted, as_it_is):
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(shape, generator=generator), labels(generator)
    if as_it_is:
        called = loss.torch(class_axis=-1) if loss.task == "multiclass" else loss.torch()
    else:
        called = compute_loss_func(loss)
    counted = labels[:, 1:] if name == CAUSAL else labels  # as the Trainer counts
    count = (counted != -100).sum()
    parts = [
        called(outputs(logits[part], name), labels[part], num_items_in_batch=count)
        for part in (slice(0, 1), slice(1, 3), slice(3, 8))
    ]
    assert float(sum(parts)) == pytest.approx(float(wanted(logits, labels)), rel=1e-6)
    for number in (None, count, int(count), torch.tensor([int(count)])):
        assert float(called(outputs(logits, name), labels, num_items_in_batch=number)) == pytest.approx(
            float(wanted(logits, labels)), rel=1e-6
        )


def test_a_batch_without_labels_costs_nothing_and_keeps_its_graph():
    logits = torch.randn(2, 4, 3, requires_grad=True)
    labels = torch.full((2, 4), -100)
    for count in (torch.tensor(0), torch.tensor(7)):
        value = compute_loss_func(SPARSE)(outputs(logits, CAUSAL), labels, count)
        value.backward()
        assert value.item() == 0.0
        assert not logits.grad.any()


def test_shift_is_as_said():
    logits, labels = torch.randn(2, 5, 3), torch.randint(0, 3, (2, 5))
    shifted, aligned = _cross_entropy(logits[:, :-1], labels[:, 1:]), _cross_entropy(logits, labels)
    for name in (CAUSAL, TOKENS, "Own", "CausalLMOutput"):
        for shift, wanted in ((True, shifted), (False, aligned)):
            found = compute_loss_func(SPARSE, shift=shift)(outputs(logits, name), labels)
            assert float(found) == pytest.approx(float(wanted), rel=1e-6)


LOGITS, LABELS = torch.zeros(2, 4, 3), torch.zeros(2, 4, dtype=torch.long)
WEIGHTED = lossary.SparseCategoricalCrossEntropy(class_weight=(1.0, 2.0))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: SPARSE.torch(class_axis=-1)(outputs(LOGITS, "Own"), LABELS), UsageError, "loss, shift=True"),
        (lambda: compute_loss_func(SPARSE)(outputs(LOGITS, "CausalLMOutput"), LABELS), UsageError, "the next one"),
        (lambda: SPARSE.torch()(outputs(LOGITS, CAUSAL), LABELS), ShapeError, "class_axis=-1"),
        (lambda: SPARSE.torch()(LOGITS, LABELS, num_items_in_batch=3), UsageError, "a Tensor without any"),
        (lambda: compute_loss_func(SPARSE)((LOGITS,), LABELS), UsageError, "a tuple without any"),
        (lambda: compute_loss_func(SPARSE)(outputs(LOGITS), None), UsageError, "needs labels"),
        (lambda: compute_loss_func(WEIGHTED), UsageError, "class weights"),
        (lambda: compute_loss_func(SPARSE.torch(ignore_index=0)), UsageError, "not -100"),
        (lambda: compute_loss_func(SPARSE.torch(reduction="sum")), UsageError, "wants a mean"),
        (lambda: predict_nonlinearity(lossary.Huber()), UsageError, "logits or probabilities"),
        (lambda: predict_nonlinearity(lossary.Hinge()), UsageError, r"net.forward\(X\) > 0"),
        (lambda: predict_nonlinearity(lossary.MulticlassHinge()), UsageError, r"net.forward\(X\).argmax\(-1\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_exact_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_probabilities_are_those_of_the_loss():
    scores, rows = torch.tensor([-40.0, 0.0, 2.0]), torch.randn(4, 3)
    of_logits = predict_nonlinearity(lossary.BinaryCrossEntropy())
    for shape in ((3,), (3, 1)):
        found = of_logits(scores.reshape(shape))
        torch.testing.assert_close(found, torch.stack([torch.sigmoid(-scores), torch.sigmoid(scores)], dim=-1))
    assert float(found[0, 1]) == pytest.approx(np.exp(-40.0), rel=1e-5)
    of_shares = predict_nonlinearity(lossary.torch.BinaryCrossEntropy(from_logits=False))
    assert of_shares(torch.tensor([0.25])).tolist() == [[0.75, 0.25]]
    torch.testing.assert_close(predict_nonlinearity(SPARSE)(rows), torch.softmax(rows, dim=-1))
    assert predict_nonlinearity(lossary.SparseCategoricalCrossEntropy(from_logits=False))(rows) is rows


# ── with the engines themselves ──────────────────────────────────────────────────────────────────────────────────────


def tiny(kind, **settings):
    """A model of transformers without dropout."""
    transformers = pytest.importorskip("transformers", reason="the Trainer is transformers'")
    pytest.importorskip("accelerate", reason="the Trainer needs it")
    torch.manual_seed(0)
    if kind == "GPT2LMHeadModel":
        none = {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0, "bos_token_id": 0, "eos_token_id": 0}
        config = transformers.GPT2Config(vocab_size=31, n_positions=16, n_embd=16, n_layer=1, n_head=2, **none)
    else:
        none = {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
        sizes = {"vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = transformers.BertConfig(intermediate_size=16, **sizes, **none, **settings)
    return getattr(transformers, kind)(config)


def trained(model, rows, loss, folder):
    """The model after one step of SGD at 1.0 that accumulates four batches of two rows."""
    import transformers

    model = copy.deepcopy(model)
    options = transformers.TrainingArguments(
        str(folder), per_device_train_batch_size=2, gradient_accumulation_steps=4, max_steps=1, learning_rate=1.0,
        optim="sgd", lr_scheduler_type="constant", max_grad_norm=0, report_to=[], save_strategy="no",
        logging_strategy="no", use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    transformers.Trainer(model=model, args=options, train_dataset=rows, compute_loss_func=loss).train()
    return model


def ragged(causal):
    generator = torch.Generator().manual_seed(3)
    for count in (16, 3, 9, 2, 14, 5, 7, 16):
        ids = torch.randint(0, 31, (16,), generator=generator)
        labels = ids.clone() if causal else ids % 3
        labels[count:] = -100
        if causal:
            labels[0] = -100  # which GPT-2 never predicts, and the Trainer would count
        yield {"input_ids": ids, "labels": labels}


def amounts(count):
    generator = torch.Generator().manual_seed(3)
    for _ in range(8):
        ids, amount = torch.randint(0, 31, (16,), generator=generator), torch.randn((), generator=generator)
        yield {"input_ids": ids, "labels": amount}


HOST = SPARSE.torch(class_axis=-1)
ENGINE = {
    "causal": ("GPT2LMHeadModel", {}, lambda: ragged(True), HOST, CASES["causal"][-1]),
    "helper": ("GPT2LMHeadModel", {}, lambda: ragged(True), compute_loss_func(SPARSE, shift=True), CASES["causal"][-1]),
    "tokens": ("BertForTokenClassification", {"num_labels": 3}, lambda: ragged(False), HOST, CASES["tokens"][-1]),
    "regression": (
        "BertForSequenceClassification", {"num_labels": 1}, lambda: amounts(8), lossary.torch.MeanSquaredError(),
        CASES["regression"][-1],
    ),
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # transformers' own
@pytest.mark.parametrize(("kind", "settings", "rows", "loss", "wanted"), ENGINE.values(), ids=ENGINE)
def test_accumulation_in_the_trainer_equals_one_big_batch(kind, settings, rows, loss, wanted, tmp_path):
    model, rows = tiny(kind, **settings), list(rows())
    after = trained(model, rows, loss, tmp_path)
    batch = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    wanted(model(batch["input_ids"]).logits, batch["labels"]).backward()
    with torch.no_grad():
        for p, q in zip(after.parameters(), model.parameters(), strict=True):
            step = torch.zeros_like(q) if q.grad is None else q.grad
            torch.testing.assert_close(p, q - step, rtol=0, atol=1e-6)


def returned():
    """The outputs that each model of transformers returns, read off its source."""
    transformers = pytest.importorskip("transformers")
    for path in (pathlib.Path(transformers.__file__).parent / "models").glob("*/modeling_*.py"):
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                code = "\n".join(lines[node.lineno : node.end_lineno])
                yield node.name, set(re.findall(r"return (\w*Output\w*)\(", code))


@pytest.mark.thorough
def test_what_is_shifted_is_what_the_trainer_takes_for_shifted():
    """Or it is refused: causal models, as for its label smoother, and sequences without an encoder, as in its count."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.auto import modeling_auto as auto

    of_model = dict(returned())

    def decided(name):
        try:
            found = float(compute_loss_func(SPARSE)(outputs(logits, name), labels))
        except UsageError:
            return None
        return found == pytest.approx(float(_cross_entropy(logits[:, :-1], labels[:, 1:])), rel=1e-6)

    logits, labels = torch.randn(2, 5, 3), torch.randint(0, 3, (2, 5))
    causal, masked = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    aligned = (masked, auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES, auto.MODEL_FOR_CTC_MAPPING_NAMES)
    cases = [(model, True) for model in causal.values()]
    cases += [(model, False) for mapping in aligned for model in mapping.values()]
    for kind, model in auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES.items():
        cases.append((model, not transformers.CONFIG_MAPPING[kind]().is_encoder_decoder))
    both = {*causal.values()} & {*masked.values()}  # XLM: its outputs and its own loss are those of a masked model
    counts = {True: 0, False: 0, None: 0}
    for model, shifts in cases:
        for name in of_model.get(model, ()) if model not in both else ():
            found = decided(name)
            assert found in {None, shifts}, (model, name)
            counts[found] += 1
    assert counts[True] > 100, counts
    assert counts[False] > 100, counts


@pytest.mark.thorough
@pytest.mark.parametrize("binary", [True, False])
def test_skorch_classifiers_predict_as_with_pytorchs_own_criterion(binary):
    skorch = pytest.importorskip("skorch", reason="the nets are skorch's")
    from torch import nn

    random = np.random.default_rng(0)
    X = random.normal(size=(200, 4)).astype("float32")
    score = X[:, 0] + random.normal(size=200) / 4
    y = (score > 0).astype("float32") if binary else np.digitize(score, [-0.7, 0.7])
    ours = lossary.torch.BinaryCrossEntropy if binary else lossary.torch.SparseCategoricalCrossEntropy
    theirs = nn.BCEWithLogitsLoss if binary else nn.CrossEntropyLoss
    kind = skorch.NeuralNetBinaryClassifier if binary else skorch.NeuralNetClassifier
    found = []
    for criterion, options in ((ours, {"predict_nonlinearity": predict_nonlinearity(ours())}), (theirs, {})):
        torch.manual_seed(0)
        net = kind(
            nn.Linear, module__in_features=4, module__out_features=1 if binary else 3, criterion=criterion,
            max_epochs=5, lr=0.5, verbose=0, **options,
        ).fit(X, y)  # fmt: skip
        assert (net.predict(X) == y).mean() > 0.8
        found.append(net.predict_proba(X))
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[0].sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.thorough
def test_skorch_nets_in_a_grid_search_over_the_loss():
    skorch = pytest.importorskip("skorch", reason="the nets are skorch's")
    from sklearn.model_selection import GridSearchCV

    random = np.random.default_rng(0)
    X = random.normal(size=(120, 4)).astype("float32")
    y = (X[:, :1] + random.standard_t(1.5, size=(120, 1))).astype("float32")
    torch.manual_seed(0)
    net = skorch.NeuralNetRegressor(
        torch.nn.Linear, module__in_features=4, module__out_features=1, criterion=lossary.torch.Huber,
        criterion__delta=2.0, max_epochs=10, lr=0.2, verbose=0, train_split=None,
    )  # fmt: skip
    search = GridSearchCV(net, {"criterion__delta": [1e-4, 1.0]}, scoring=lossary.sklearn.MeanAbsoluteError(), cv=3)
    assert search.fit(X, y).best_params_ == {"criterion__delta": 1.0}
    assert search.best_estimator_.predict(X).shape == y.shape


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_lightning_logs_the_exact_mean(tmp_path):
    lightning = pytest.importorskip("lightning", reason="the trainer is Lightning's")
    from lossary import metrics
    from tests.adapters.test_metrics import SPARSE, on_all, torch_batches

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.metric = metrics.as_metric(SPARSE.torch())

        def validation_step(self, batch, index):
            self.metric.update(*batch)
            self.log("mean", self.metric)

    batches = [batch for batch in torch_batches(torch) if len(batch[0])]
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, barebones=False,
        default_root_dir=tmp_path, enable_checkpointing=False,
    )  # fmt: skip
    found = trainer.validate(Module(), torch.utils.data.DataLoader(batches, batch_size=None), verbose=False)
    assert found[0]["mean"] == pytest.approx(on_all(SPARSE), rel=1e-6)
