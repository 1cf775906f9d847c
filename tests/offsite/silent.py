"""A server that takes the connection and says nothing."""

import socket
import threading


def copy_and_give_up(make, source, first):
    """Copy `source` to `make(port)`; give up once the server has got `first`: the copy ends with an error."""
    failed = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = make(silent.getsockname()[1])

        def put():
            try:
                place.put(source, "a")
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=put)
        thread.start()
        with silent.accept()[0] as link:
            assert first in link.recv(65536)
            place.abort()
            thread.join(5)
            assert not thread.is_alive()
            assert failed
