"""What the service manager is told."""

import resource
import socket

from surveil.systemd import Notifier


def test_the_service_manager_is_told_again_once_there_are_descriptors(tmp_path):
    """Before, the main thread failed where none was free, and the daemon ended without its shutdown."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": str(address)})
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            notifier.watchdog()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        notifier.status("1/1 cameras up")
        assert manager.recv(4096) == b"STATUS=1/1 cameras up"
