"""The socket edge: the only place of the proxy that touches socket options, linger and errno.

It opens (listening.py) and dials (dialling.py), gives one leg's socket the acts that the proxy needs
(leg.py), and knows what the system has room for (limits.py). It must not know sessions, rules or records.
"""

from .dialling import Connecting as Connecting
from .dialling import DialError as DialError
from .dialling import Place as Place
from .dialling import literal as literal
from .dialling import resolve as resolve
from .leg import SocketLeg as SocketLeg
from .leg import accepted_leg as accepted_leg
from .leg import as_leg as as_leg
from .limits import room_for_sessions as room_for_sessions
from .listening import ACCEPT_LATER as ACCEPT_LATER
from .listening import ListenError as ListenError
from .listening import Prepare as Prepare
from .listening import accept as accept
from .listening import listen as listen
from .listening import listening_address as listening_address
