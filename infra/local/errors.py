"""What can go wrong while services are started, watched and stopped."""


class StackError(Exception):
    """Base of every error of the local process runner."""


class ServiceError(StackError):
    """A service did not become healthy, or ended while it was needed; shown with its last log lines."""


class StackBusyError(StackError):
    """Another process already runs a stack in this folder."""


class AirflowApiError(StackError):
    """Airflow's API refused a request or could not be reached."""
