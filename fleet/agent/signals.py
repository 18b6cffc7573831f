"""The module signal without its enumerations, which take longer to make than the rest of what an agent's start imports."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    try:
        import _signal as signal
    except ImportError:  # another implementation of Python
        import signal

__all__ = ["signal"]
