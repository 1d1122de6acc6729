# Written by `make index` from the catalogue; do not edit.

from lossary.catalogue import get as get
from lossary.define.loss import Loss as Loss
from lossary.define.loss import Pointwise as Pointwise
from lossary.define.loss import Rowwise as Rowwise
from lossary.define.objective import Objective as Objective
from lossary.define.penalty import Penalty as Penalty
from lossary.define.registry import from_config as from_config
from lossary.engine.explanation import explain as explain
from lossary.errors import DataError as DataError
from lossary.errors import DifferentiationError as DifferentiationError
from lossary.errors import DomainError as DomainError
from lossary.errors import DtypeError as DtypeError
from lossary.errors import FrameworkError as FrameworkError
from lossary.errors import LossaryError as LossaryError
from lossary.errors import MissingExtraError as MissingExtraError
from lossary.errors import NonFiniteError as NonFiniteError
from lossary.errors import ParameterError as ParameterError
from lossary.errors import ShapeError as ShapeError
from lossary.errors import UnknownNameError as UnknownNameError
from lossary.errors import UsageError as UsageError
from lossary.losses.binary.binary_cross_entropy import BinaryCrossEntropy as BinaryCrossEntropy
from lossary.losses.binary.hinge import Hinge as Hinge
from lossary.losses.binary.zero_one import ZeroOne as ZeroOne
from lossary.losses.distribution.gaussian_nll import GaussianNLL as GaussianNLL
from lossary.losses.divergence.kl_divergence import KLDivergence as KLDivergence
from lossary.losses.multiclass.categorical_cross_entropy import CategoricalCrossEntropy as CategoricalCrossEntropy
from lossary.losses.multiclass.sparse_categorical_cross_entropy import SparseCategoricalCrossEntropy as SparseCategoricalCrossEntropy
from lossary.losses.regression.huber import Huber as Huber
from lossary.losses.regression.log_cosh import LogCosh as LogCosh
from lossary.losses.regression.mean_absolute_error import MeanAbsoluteError as MeanAbsoluteError
from lossary.losses.regression.mean_squared_error import MeanSquaredError as MeanSquaredError
from lossary.losses.regression.quantile import Quantile as Quantile
from lossary.ops.reduce import Total as Total
from lossary.penalties.elastic_net import ElasticNet as ElasticNet
from lossary.penalties.l1 import L1 as L1
from lossary.penalties.l2 import L2 as L2
from lossary import catalogue as catalogue
from lossary import check as check
from lossary import compare as compare
from lossary import jax as jax
from lossary import keras as keras
from lossary import metrics as metrics
from lossary import sklearn as sklearn
from lossary import torch as torch

__version__: str
