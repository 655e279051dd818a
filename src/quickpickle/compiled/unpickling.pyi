from ..unpickling.functions import load as load
from ..unpickling.functions import load_mapped as load_mapped
from ..unpickling.functions import loads as loads
from ..unpickling.functions import make_load as make_load
from ..unpickling.unpickler import Unpickler as Unpickler
