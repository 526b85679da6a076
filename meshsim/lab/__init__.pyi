# What the notebooks import: read by type checkers, and at run time by lazy-loader.
from .anatomy import sections as sections
from .anatomy import show_code as show_code
from .anatomy import show_sections as show_sections
from .display import Picture as Picture
from .display import show_loading as show_loading
from .display import show_path as show_path
from .display import show_requests as show_requests
from .display import show_sequence as show_sequence
from .display import show_trace as show_trace
from .lessons.checking import check as check
from .lessons.lesson import Lesson as Lesson
from .lessons.lesson import lesson as lesson
from .lessons.real import RealRun as RealRun
from .lessons.verdict import Verdict as Verdict
from .observe import Observation as Observation
from .observe import observe as observe
from .scenarios import Scenario as Scenario
from .scenarios import scenario as scenario
from .wat import WatModule as WatModule
from .wat import compile_wat as compile_wat

__all__: list[str]

def load_ipython_extension(shell: object) -> None: ...
