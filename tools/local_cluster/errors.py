"""What can go wrong here, each as one sentence with the next step.

LocalClusterError
├── UsageError        asked for something that cannot be: exit code 2
├── BuildError        a tool could not be built or fetched
└── StartError        a cluster did not become ready
"""


class LocalClusterError(Exception):
    """An expected failure; its text is shown as it is, without a traceback."""


class UsageError(LocalClusterError):
    """The request itself is wrong."""


class BuildError(LocalClusterError):
    """A tool could not be built or fetched."""


class StartError(LocalClusterError):
    """A cluster did not become ready."""
