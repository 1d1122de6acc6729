# Written by `make index` from the catalogue; do not edit.

"""Where each loss and penalty is defined, and what each family of losses is for."""

LOSSES = {
    "BinaryCrossEntropy": "lossary.losses.binary.binary_cross_entropy",
    "BinaryFocal": "lossary.losses.binary.binary_focal",
    "Brier": "lossary.losses.binary.brier",
    "Exponential": "lossary.losses.binary.exponential",
    "Hinge": "lossary.losses.binary.hinge",
    "ModifiedHuber": "lossary.losses.binary.modified_huber",
    "Ramp": "lossary.losses.binary.ramp",
    "Savage": "lossary.losses.binary.savage",
    "SigmoidMargin": "lossary.losses.binary.sigmoid_margin",
    "SmoothedHinge": "lossary.losses.binary.smoothed_hinge",
    "SoftMargin": "lossary.losses.binary.soft_margin",
    "SquaredHinge": "lossary.losses.binary.squared_hinge",
    "SquaredMargin": "lossary.losses.binary.squared_margin",
    "ZeroOne": "lossary.losses.binary.zero_one",
    "GeneralizedIoU": "lossary.losses.boxes.generalized_iou",
    "Gamma": "lossary.losses.distribution.gamma",
    "GaussianNLL": "lossary.losses.distribution.gaussian_nll",
    "Poisson": "lossary.losses.distribution.poisson",
    "KLDivergence": "lossary.losses.divergence.kl_divergence",
    "InfoNCE": "lossary.losses.embedding.info_nce",
    "CategoricalCrossEntropy": "lossary.losses.multiclass.categorical_cross_entropy",
    "MulticlassHinge": "lossary.losses.multiclass.multiclass_hinge",
    "MulticlassPerceptron": "lossary.losses.multiclass.multiclass_perceptron",
    "SparseCategoricalCrossEntropy": "lossary.losses.multiclass.sparse_categorical_cross_entropy",
    "SumHinge": "lossary.losses.multiclass.sum_hinge",
    "Cauchy": "lossary.losses.regression.cauchy",
    "EpsilonInsensitive": "lossary.losses.regression.epsilon_insensitive",
    "Expectile": "lossary.losses.regression.expectile",
    "Huber": "lossary.losses.regression.huber",
    "LogCosh": "lossary.losses.regression.log_cosh",
    "MeanAbsoluteError": "lossary.losses.regression.mean_absolute_error",
    "MeanSquaredError": "lossary.losses.regression.mean_squared_error",
    "PseudoHuber": "lossary.losses.regression.pseudo_huber",
    "Quantile": "lossary.losses.regression.quantile",
    "SmoothL1": "lossary.losses.regression.smooth_l1",
    "SquaredEpsilonInsensitive": "lossary.losses.regression.squared_epsilon_insensitive",
    "Tukey": "lossary.losses.regression.tukey",
    "BatchDice": "lossary.losses.segmentation.batch_dice",
    "Dice": "lossary.losses.segmentation.dice",
    "CoxPartialLikelihood": "lossary.losses.survival.cox_partial_likelihood",
}

PENALTIES = {
    "ElasticNet": "lossary.penalties.elastic_net",
    "L1": "lossary.penalties.l1",
    "L2": "lossary.penalties.l2",
}

FAMILIES = {
    "binary": "Losses for one of two classes.",
    "boxes": "Boxes around things: how much the predicted and the true one overlap.",
    "distribution": "Losses for a whole distribution as the prediction.",
    "divergence": "Losses for a whole distribution as the target.",
    "embedding": "Embeddings: what belongs together is near, what does not is far.",
    "multiclass": "Losses for one of K classes.",
    "regression": "Losses for a number as the target.",
    "segmentation": "Masks: which pixels belong to something.",
    "survival": "Losses for the time until an event, which some have not had yet.",
}
