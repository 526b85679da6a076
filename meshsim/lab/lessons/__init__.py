"""Lessons: what their notebooks stand on; one module ``lesson_NN`` and one folder ``files/NN`` a lesson."""
