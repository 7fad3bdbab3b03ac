"""Simulators: each platform as a small HTTP server that fills in its own forms and is told what became of them.

For tests and demonstrations. What a screen of the platform does is one call; what it sends to the clearing service goes
through the client library, well or, on request, badly.
"""

from connectors.simulators.delta import DeltaSimulator
from connectors.simulators.jssic import JssicSimulator
from connectors.simulators.local import LocalSimulator
from connectors.simulators.serving import serving
from connectors.simulators.shanxi import ShanxiSimulator
from connectors.simulators.simulator import Simulator
from connectors.simulators.worksheet import WorksheetOffice

__all__ = [
    "DeltaSimulator",
    "JssicSimulator",
    "LocalSimulator",
    "ShanxiSimulator",
    "Simulator",
    "WorksheetOffice",
    "serving",
]
