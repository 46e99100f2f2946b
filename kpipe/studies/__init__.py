"""The notebooks that kpipe is based on: each is reproduced as published, then validated as ``kpipe run`` validates.

To add a study, write a module with a function ``run`` and add it to ``kpipe.studies.catalogue.STUDIES``.
"""

from kpipe.studies.catalogue import STUDIES, study

__all__ = ["STUDIES", "study"]
