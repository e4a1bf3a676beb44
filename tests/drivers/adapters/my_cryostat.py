"""A Lake Shore temperature controller, driven by PyMeasure's own class: what a user writes."""

from drivers.adapters.pymeasure import Action, Reading, Setting, Wire, adapted
from drivers.command import Effect
from drivers.manifest import Manifest

Cryostat = adapted(
    "pymeasure.instruments.lakeshore:LakeShore3xx",
    manifest=Manifest(
        maker="Lake Shore",
        model="model 336",
        wires=("serial", "tcp"),
        manual="Lake Shore Model 336 user's manual, chapter 6 (remote operation)",
        if_host_dies="Goes on controlling to its setpoint.",
        unverified="No controller was at hand; the commands are PyMeasure's.",
        simulator="lakeshore",
    ),
    commands=[
        Reading(name="read_temperature", attribute="input_A.kelvin", unit="K", low=0, high=400, tolerance=0.5),
        Setting(
            name="set_temperature",
            attribute="output_1.setpoint",
            argument="target_k",
            unit="K",
            low=4,
            high=325,
            tolerance=0.001,
            example=80.0,
        ),
        Action(name="heat", attribute="output_1.range", value="low", effect=Effect.IDEMPOTENT),
        Action(name="stop", attribute="output_1.range", value="off", effect=Effect.IDEMPOTENT, urgent=True),
        Action(
            name="clear_status", attribute="clear", effect=Effect.IDEMPOTENT, confirmed_by="complete", confirmed_as="1"
        ),
    ],
    wire=Wire(write_termination="\r\n", read_termination="\r\n"),
)
