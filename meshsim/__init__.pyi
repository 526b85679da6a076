# The flat namespace: what `import meshsim as ms` offers. Read by type checkers, and at run time by lazy-loader.
from .errors import ConfigError as ConfigError
from .errors import DeadlineExceeded as DeadlineExceeded
from .errors import GuestTrap as GuestTrap
from .errors import LinkError as LinkError
from .errors import MeshsimError as MeshsimError
from .errors import ModuleError as ModuleError
from .errors import NotModelled as NotModelled
from .errors import UnmodelledField as UnmodelledField
from .wasm import ModuleFacts as ModuleFacts
from .wasm import parse_module as parse_module

__version__: str
__all__: list[str]
