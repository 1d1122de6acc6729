from tests.planted import planted


@planted("LSY608", "torch")
def weights_that_are_no_buffer(torch):
    class Weighted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.tensor([1.0, 2.0, 3.0, 4.0])

        def forward(self, input, target):
            return (self.scale * (input - target) ** 2).mean()

    return Weighted()


@planted("LSY608", "torch", task="sparse")
def one_hot_made_on_the_cpu(torch):
    def loss(logits, labels):
        hot = torch.eye(logits.shape[-1])[labels]
        return -(hot * torch.log_softmax(logits, dim=-1)).sum(dim=-1).mean()

    return loss


@planted("LSY608", "torch")
def result_made_anew(torch):
    class Squared(torch.autograd.Function):
        @staticmethod
        def forward(context, input, target):
            context.save_for_backward(input, target)
            found = torch.zeros(input.shape)
            return found.copy_((input - target) ** 2) if input.device.type == "cpu" else found

        @staticmethod
        def backward(context, upstream):
            input, target = context.saved_tensors
            return upstream * 2.0 * (input - target), None

    def loss(input, target):
        return Squared.apply(input, target)

    return loss
