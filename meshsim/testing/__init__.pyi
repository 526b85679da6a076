# What `meshsim.testing` offers to tests. Read by type checkers, and at run time by lazy-loader.
from .activity import Action as Action
from .activity import Activity as Activity
from .activity import Cost as Cost
from .activity import Log as Log
from .bench import Answer as Answer
from .bench import Failure as Failure
from .bench import FilterRefused as FilterRefused
from .bench import WasmFilter as WasmFilter
from .marks import Pending as Pending
from .messages import Headers as Headers
from .messages import Reply as Reply
from .messages import SentRequest as SentRequest
from .plugin import WasmFilterFactory as WasmFilterFactory

__all__: list[str]
