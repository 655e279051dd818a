from ..compact import optimize as optimize
from ..pickler import Pickler as Pickler
from ..pickler import dump as dump
from ..pickler import dumps as dumps
from ..pickler import object_digest as object_digest
