"""Widgets: what one touches in a notebook.

Theory of operation. A widget is three things, each in a file of its own.

1. A *view model*: pure functions from a run (or a profile) to a plain, JSON-able ``dict`` that says everything that
   is drawn, in words and numbers. It is tested without a browser.
2. A class under :class:`meshsim.widgets._base.Widget`: it holds the view model in the synced trait ``view``; what a
   user may change are further synced traits (``workers``, ``selected``), and whoever sets one, a hand in the browser
   or Python, causes the same thing: the view model is made anew.
3. One JavaScript module and one style sheet in ``assets/``: they draw ``view`` and set those traits, and know nothing
   else. Nothing is fetched: helpers and colours are joined to them when the class is made.

The same view model gives the *still*: a picture and a table for where no JavaScript runs (GitHub, nbviewer, paper).
"""
