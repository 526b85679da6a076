# The flat namespace: what `import meshsim as ms` offers. Read by type checkers, and at run time by lazy-loader.
from .envoy.answers import Answer as Answer
from .envoy.batch import BatchFilter as BatchFilter
from .envoy.batch import BatchResult as BatchResult
from .envoy.batch import batch as batch
from .envoy.outcome import ReplayResult as ReplayResult
from .envoy.outcome import Response as Response
from .envoy.proxy import AbiLine as AbiLine
from .envoy.proxy import Envoy as Envoy
from .envoy.replay import replay as replay
from .envoy.requests import Request as Request
from .envoy.requests import load_requests as load_requests
from .errors import ConfigError as ConfigError
from .errors import DeadlineExceeded as DeadlineExceeded
from .errors import GuestTrap as GuestTrap
from .errors import LinkError as LinkError
from .errors import MeshsimError as MeshsimError
from .errors import ModuleError as ModuleError
from .errors import NotModelled as NotModelled
from .errors import UnmodelledField as UnmodelledField
from .sim import Level as Level
from .wasm import Limits as Limits
from .wasm import ModuleFacts as ModuleFacts
from .wasm import parse_module as parse_module

__version__: str
__all__: list[str]
