from ..digest import object_digest as object_digest
from ..optimization import optimize as optimize
from ..pickling.functions import dump as dump
from ..pickling.functions import dumps as dumps
from ..pickling.functions import dumps_with_hooks as dumps_with_hooks
from ..pickling.pickler import Pickler as Pickler
