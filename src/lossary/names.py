# Written by `make index` from the catalogue; do not edit.
# ruff: noqa: E501

"""Every name that leads to a loss, as `catalogue.folded` writes it."""

_OF = {
    "BatchDice": "batchdice dicelossbatchtrue",
    "BinaryCrossEntropy": "bce bcewithlogits binarycrossentropy keraslossesbinarycrossentropy log logistic optaxsigmoidbinarycrossentropy sigmoidbinarycrossentropy sigmoidcrossentropy sklearnmetricslog tensorflownnweightedcrossentropywithlogits torchnnbce torchnnbcewithlogits weightedcrossentropywithlogits",
    "BinaryFocal": "binaryfocal binaryfocalcrossentropy focal keraslossesbinaryfocalcrossentropy optaxsigmoidfocal sigmoidfocal",
    "Brier": "brier brierscore quadraticscore sklearnmetricsbrierscore",
    "CategoricalCrossEntropy": "categoricalcrossentropy cce keraslossescategoricalcrossentropy optaxsoftmaxcrossentropy softcrossentropy softmaxcrossentropy torchnncrossentropy torchnnnll",
    "Cauchy": "cauchy lorentzian statsmodelsrobustnormsstudentt studentt",
    "CoxPartialLikelihood": "coxpartiallikelihood coxph coxphfitter coxphsurvivalanalysis negpartialloglikelihood phreg statsmodelsdurationhazardregressionphreg survivalcox",
    "Dice": "dice f1 keraslossesdice optaxlossesdice softdice",
    "EpsilonInsensitive": "epsilonhinge epsiloninsensitive l1epsilonins l1epsiloninsensitive svr",
    "Expectile": "asymmetricleastsquares asymmetricsquarederror expectile",
    "Exponential": "adaboost exp exponential sklearnlosslossexponential",
    "Gamma": "exponentialnll gamma gammadeviance gammanll halfgamma scipystatsexponlogpdf sklearnlosslosshalfgamma",
    "GaussianNLL": "gaussiannll logpdf meanvarianceestimation normalnll scipystatsnormlogpdf torchnngaussiannll",
    "GeneralizedIoU": "generalizedboxiou generalizediou giou torchvisionopsgeneralizedboxiou",
    "Hinge": "hinge keraslosseshinge maxmargin optaxhinge sklearnmetricshinge svm",
    "Huber": "huber hubernorm hubert keraslosseshuber optaxhuber scipyspecialhuber statsmodelsrobustnormshubert torchnnhuber",
    "InfoNCE": "contrastive infonce multiplenegativesranking ntxent ntxentcriterion torchnnfunctionalcrossentropy",
    "KLDivergence": "keraslosseskldivergence kld kldiv kldivergence kldivergencewithlogtargets kullbackleiblerdivergence optaxkldivergence optaxlosseskldivergencewithlogtargets relativeentropy relentr scipyspecialrelentr torchmetricsfunctionalkldivergence torchnnkldiv",
    "LogCosh": "keraslosseslogcosh logcosh logcosherror optaxlogcosh torchmetricsfunctionallogcosherror",
    "MeanAbsoluteError": "absoluteerror keraslossesmeanabsoluteerror l1 leastabsolutedeviations mae meanabsoluteerror sklearnmetricsmeanabsoluteerror torchmetricsfunctionalmeanabsoluteerror torchnnl1",
    "MeanSquaredError": "keraslossesmeansquarederror l2 leastsquares meansquarederror mse optaxl2 optaxsquarederror quadratic sklearnmetricsmeansquarederror squarederror statsmodelsrobustnormsleastsquares torchmetricsfunctionalmeansquarederror torchnnmse",
    "ModifiedHuber": "modifiedhuber",
    "MulticlassHinge": "crammersinger multiclasshinge multiclasssvm optaxlossesmulticlasshinge",
    "MulticlassPerceptron": "multiclassperceptron optaxlossesmulticlassperceptron perceptron structuredperceptron",
    "Poisson": "halfpoisson keraslossespoisson poisson poissondeviance poissonnll sklearnlosslosshalfpoisson torchnnpoissonnll",
    "PseudoHuber": "charbonnier pseudohuber pseudohubererror scipyspecialpseudohuber",
    "Quantile": "check meanpinball pinball quantile sklearnmetricsmeanpinball tilted",
    "Ramp": "ramp robusthinge truncatedhinge",
    "Savage": "savage savageboost",
    "SigmoidMargin": "expit normalizedsigmoidcost scipyspecialexpit sigmoid sigmoidmargin tanh",
    "SmoothL1": "smoothabsoluteerror smoothedl1 smoothl1 torchnnsmoothl1",
    "SmoothedHinge": "binarysparsemax huberhinge optaxlossessparsemax smoothedhinge smoothedl1hinge smoothhinge sparsemax",
    "SoftMargin": "logisticmargin logitmargin softmargin torchnnsoftmargin",
    "SparseCategoricalCrossEntropy": "crossentropy keraslossessparsecategoricalcrossentropy nll optaxsoftmaxcrossentropywithintegerlabels scce softmaxcrossentropywithintegerlabels sparsecategoricalcrossentropy",
    "SquaredEpsilonInsensitive": "l2epsilonins l2epsiloninsensitive l2svr squaredepsiloninsensitive",
    "SquaredHinge": "keraslossessquaredhinge l2hinge l2svm squaredhinge truncatedsquared",
    "SquaredMargin": "l2margin leastsquaresmargin squaredmargin",
    "SumHinge": "multiclasssumhinge multimargin sumhinge torchnnmultimargin westonwatkins",
    "Tukey": "bisquare biweight statsmodelsrobustnormstukeybiweight tukey tukeybiweight",
    "ZeroOne": "binaryhammingdistance errorrate misclassification sklearnmetricszeroone torchmetricsfunctionalclassificationbinaryhammingdistance zeroone",
}

NAMES = {name: loss for loss, names in _OF.items() for name in names.split()}
