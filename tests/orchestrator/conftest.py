"""Fabricated campaign directories: real journals and files, written without a laboratory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from drivers.registry import class_at
from orchestrator.directory import CampaignDirectory
from orchestrator.journal import Journal
from orchestrator.measurements import MeasurementFile, write_measurement

START = datetime(2026, 1, 1, tzinfo=UTC)
TEMPERATURES, DWELLS = np.linspace(400, 1300, 25), np.geomspace(250, 10_000, 25)
LIQUIDS = ("cysteine", "nacl", "naoh", "pvp", "sds", "silicate", "acid_red", "rhodamine_b", "methylene_blue")

SARA = {
    "labpilot": 1,
    "name": "sara",
    "description": "Map the optical transitions of a Bi2O3-like film over peak temperature and dwell.",
    "seed": 7,
    "lab": "lab.yaml",
    "parameters": [
        {"name": "peak_temperature", "kind": "continuous", "unit": "degC", "low": 400.0, "high": 1300.0, "step": 37.5},
        {
            "name": "dwell",
            "kind": "continuous",
            "unit": "us",
            "low": 250.0,
            "high": 10000.0,
            "scale": "log",
            "count": 25,
        },
    ],
    "objectives": [{"name": "optical_gradient", "direction": "learn", "unit": "1"}],
    "recipe": [{"anneal": {"peak_temperature": "$peak_temperature", "dwell": "$dwell"}}],
    "analysis": {"kind": "stripe_gradient"},
    "planner": {"policy": "sara", "charge": "2 s"},
    "budget": {"trials": 48, "duration": "7 d"},
}
FILM_LAB = {
    "labpilot": 1,
    "name": "film-station",
    "devices": {
        name: {"driver": name, "url": f"sim:film-station/{name}"}
        for name in ("laser", "stage", "spectrometer", "camera")
    },
}
BENCH = {
    "labpilot": 1,
    "name": "photocatalysis",
    "seed": 3,
    "lab": "lab.yaml",
    "parameters": [
        {"name": "p10", "kind": "continuous", "unit": "mg", "low": 1.0, "high": 5.0, "step": 0.2},
        *({"name": n, "kind": "continuous", "unit": "mL", "low": 0.0, "high": 5.0, "step": 0.25} for n in LIQUIDS),
    ],
    "constraints": [f"{' + '.join(LIQUIDS)} <= 5 mL"],
    "objectives": [{"name": "hydrogen", "direction": "maximize", "unit": "umol"}],
    "recipe": [{"perform": {"device": "robot"}}],
    "analysis": {"kind": "reading"},
    "planner": {"policy": "logei"},
    "batch": 16,
    "budget": {"trials": 128, "duration": "8 d"},
}
BENCH_LAB = {
    "labpilot": 1,
    "name": "bench",
    "devices": {"robot": {"driver": "bench", "url": "sim:photocatalysis/robot"}},
}
VERSIONS = {"labpilot": "0.1.0", "python": "3.11.9", "torch": "2.13.0"}


@dataclass
class HandClock:
    """A clock that a test turns."""

    seconds: float = 0.0
    is_virtual: bool = True

    def now_s(self):
        return self.seconds

    def utc(self):
        return START + timedelta(seconds=self.seconds)

    async def sleep(self, seconds):
        self.seconds += max(0.0, seconds)


@dataclass
class Fabricator:
    """Writes campaigns as the orchestrator would."""

    path: Path
    mode: str = "virtual"
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self):
        self.directory = CampaignDirectory.create(self.path, {})
        (self.path / "controller.lock").unlink()  # as if copied from elsewhere: whoever only looks must make none
        self.engine = self.directory.database(fsync=False, migrate=True)
        self.journal = Journal(self.engine, self.clock, epoch=1, boot_id="boot")
        self.rng = np.random.default_rng(0)
        self.asks = 0

    def create(self, config, lab, **changes):
        body = {
            "name": config["name"],
            "mode": self.mode,
            "seed": config["seed"],
            "planner": config["planner"]["policy"],
        }
        self.journal.append(
            "campaign_created",
            {**body, "config": config, "lab": lab, "versions": VERSIONS, "provenance": {}, **changes},
        )
        self.journal.append("controller_started", {"epoch": 1}, durable=True)

    def ask(self, trials, *, diagnostics=None, policy="sara", fallback=""):
        body = {
            "index": self.asks,
            "n": len(trials),
            "asked_s": self.clock.seconds,
            "charged_s": 2.0,
            "wall_s": 0.31,
            "policy": policy,
            "fallback_reason": fallback,
            "diagnostics": diagnostics or {},
            "trials": [{"is_control": False, "proposal_reason": "", "predictions": {}, **trial} for trial in trials],
        }
        self.clock.seconds += 2.0
        self.journal.append("asked", body, durable=True)
        self.asks += 1

    def start(self, trial, sample=None, place=None):
        self.journal.append("trial_started", {"sample": sample, "place": place or {}}, trial=trial)

    def step(self, trial, path, device, command, seconds, *, end="step_done", label="", arguments=None, **ending):
        command_id = f"{trial:06d}.{path}"
        keys = {"trial": trial, "step": path, "command_id": command_id}
        body = {"path": path, "label": label or command, "device": device, "command": command, "effect": "verifiable"}
        self.journal.append("step_intended", {**body, "arguments": arguments or {}, "is_repeat": False}, **keys)
        self.clock.seconds += seconds
        if end:
            self.journal.append(end, {"result": {}, **ending}, **keys)
        return command_id

    def measure(self, trial, path, kind, role, arrays, *, fsync=False, **facts):
        command_id = f"{trial:06d}.{path}"
        relative = f"measurements/{trial:06d}/{command_id}.npz"
        metadata = {"role": role, "trial": trial, "command_id": command_id, **facts}
        file = MeasurementFile(kind=kind, arrays=arrays, metadata=metadata)
        written = write_measurement(self.path / relative, file, fsync=fsync)
        body = {"kind": kind, "role": role, "path": relative, "sha256": written.sha256, "facts": metadata}
        self.journal.append("measured", {**body, "size_bytes": written.size_bytes}, trial=trial, command_id=command_id)

    def spectrum(self, trial, path, role, counts, offset_mm=0.0):
        self.step(trial, path, "spectrometer", "acquire", 1.5, label=f"{role} spectrum", end="")
        arrays = {"wavelength_nm": np.linspace(350.0, 900.0, len(counts)), "counts": counts}
        self.measure(
            trial, path, "spectrum", role, arrays, offset_mm=offset_mm, exposure_s=0.05, averages=1,
            saturation_counts=65535.0,
        )  # fmt: skip
        self.journal.append("step_done", {"result": {}}, trial=trial, step=path, command_id=f"{trial:06d}.{path}")

    def end(self, status="finished", reason="the budget is spent"):
        self.journal.append("campaign_ended", {"status": status, "reason": reason}, durable=True)
        self.close()

    def close(self):
        self.journal.close()
        self.engine.dispose()

    def sara(self, n=6, *, points=8, pixels=256, end=True):
        """A SARA campaign: trial 3 fails, trial 5 is lost, one step was settled after a restart."""
        self.create(SARA, FILM_LAB)
        for number in range(1, n + 1):
            self.stripe(number, points, pixels, uncertainty=0.25 / np.sqrt(1 + number / 4))
        if end:
            self.end(reason=f"the budget of {n} trials is spent")
        else:
            self.journal.flush()
        return self.path

    def stripe(self, number, points, pixels, *, uncertainty=0.2):
        temperature, dwell = float(self.rng.choice(TEMPERATURES)), float(self.rng.choice(DWELLS))
        parameters = {"peak_temperature": temperature, "dwell": dwell}
        trial = {
            "number": number,
            "parameters": parameters,
            "proposal_id": f"p{number}",
            "proposal_reason": f"the map is least certain along this stripe (sum of sd {uncertainty:.2f})",
            "predictions": {"optical_gradient": {"mean": 0.4, "sd": uncertainty}},
        }
        self.ask([trial], diagnostics={"map_uncertainty": uncertainty, "stripes": number - 1})
        self.start(number, sample=f"site-{number:03d}", place={"x_mm": 4.0 * number, "y_mm": 2.0})
        self.step(number, "0", "stage", "move", 12.0, label="to the site")
        self.step(
            number, "1", "laser", "anneal", 20.0, arguments={"peak_temperature_c": temperature, "dwell_us": dwell}
        )
        if number % 3 == 1:
            self.spectrum(number, "2.0", "mirror", np.full(pixels, 40_000.0))
            self.spectrum(number, "2.1", "blank", np.full(pixels, 500.0))
        if number == 5:
            return self.lose(number)
        self.step(number, "3", "camera", "capture", 0.8)
        self.measure(number, "3", "image", "picture", {"pixels": stripe_picture(temperature)}, pixel_um=10.0)
        offsets = np.round(self.rng.uniform(-1, 1, points), 3)
        for index, offset in enumerate(offsets):
            self.step(number, f"4.{index}.0", "stage", "move", 3.0, label=f"to {offset:+.3f} mm")
            counts = 500 + 39_500 * reflectance(temperature, dwell, offset, pixels)
            self.spectrum(number, f"4.{index}.1", "film", counts + self.rng.normal(0, 150, pixels), float(offset))
        self.journal.append("plan_finished", {}, trial=number)
        if number == 3:
            self.journal.append("trial_failed", {"reason": "the film is gone <b>here</b> & there"}, trial=number)
        else:
            self.journal.append("analysed", stripe_analysis(parameters, offsets), trial=number)
        self.journal.append("told", {"trials": [number]})
        return None

    def lose(self, number):
        text = "laser.anneal: no answer within 30 s"
        self.step(number, "3", "camera", "capture", 30.0, end="step_in_doubt", error=text)
        keys = {"trial": number, "step": "3", "command_id": f"{number:06d}.3"}
        self.journal.append("step_failed", {"error": text, "settled_by": "operator"}, **keys)
        incident = {"kind": "intervention", "device": "laser", "text": text}
        self.journal.append("incident", incident, trial=number)
        self.journal.append("trial_lost", {"reason": text}, trial=number)
        self.journal.append("told", {"trials": [number]})

    def bench(self, batches=3, *, batch=16, end=True, config=BENCH):
        """An optimisation: batches of vials of which two are controls; one vial fails in each batch."""
        self.create(config, BENCH_LAB)
        number = 1
        for index in range(batches):
            trials = [self.vial(number + i, is_control=i >= batch - 2) for i in range(batch)]
            self.ask(trials, policy="logei", diagnostics={"acquisition_best": -1.0 - index})
            for trial in trials:
                self.start(trial["number"])
            started = self.clock.seconds
            for i, trial in enumerate(trials):
                self.clock.seconds = started
                self.step(trial["number"], "0", "robot", "start", 3600.0 + 30 * i, label="perform")
                self.measure(trial["number"], "0", "result", "result", {}, values={"hydrogen": 1.0})
                self.judge(trial, failed=i == 4, index=index)
            self.journal.append("told", {"trials": [trial["number"] for trial in trials]})
            number += batch
        if end:
            self.end(reason=f"the budget of {number - 1} trials is spent")
        else:
            self.journal.flush()
        return self.path

    def vial(self, number, *, is_control):
        liquids = self.rng.dirichlet(np.full(10, 0.5))[:9] * 5
        amounts = {"p10": 5.0, **dict.fromkeys(LIQUIDS, 0.0), "cysteine": 0.5}
        if not is_control:
            amounts = {"p10": float(np.round(1 + 0.2 * self.rng.integers(0, 21), 1))}
            amounts |= {name: float(np.floor(v / 0.25) * 0.25) for name, v in zip(LIQUIDS, liquids, strict=True)}
        return {
            "number": number,
            "parameters": amounts,
            "is_control": is_control,
            "proposal_id": None if is_control else f"p{number}",
            "proposal_reason": "" if is_control else "largest expected improvement",
            "predictions": {} if is_control else {"hydrogen": {"mean": 2.0 + 0.05 * number, "sd": 1.5}},
        }

    def judge(self, trial, *, failed, index):
        number, amounts = trial["number"], trial["parameters"]
        self.journal.append("plan_finished", {}, trial=number)
        if failed:
            self.journal.append("trial_failed", {"reason": "precipitate in the vial"}, trial=number)
            return
        yield_umol = 11.7 * (1 - np.exp(-amounts["p10"] / 1.23)) * amounts["cysteine"] ** 0.55
        yield_umol *= np.exp(-4 * amounts["sds"] - 5 * amounts["acid_red"] - 0.3 * amounts["nacl"])
        value = float(yield_umol * (1 + 0.1 * index) + abs(self.rng.normal(0, 0.1)))
        finding = {"parameters": amounts, "values": {"hydrogen": value}, "sd": {"hydrogen": 0.1}, "failure": None}
        body = {"values": {"hydrogen": value}, "findings": [finding], "details": {}, "analysis": "reading 1"}
        self.journal.append("analysed", body, trial=number)


def reflectance(temperature, dwell, offset_mm, pixels):
    """A film whose fringes move where the local temperature passes a boundary."""
    local = temperature * np.exp(-((2 * offset_mm / 1.2) ** 2))
    phase = 1 / (1 + np.exp(-(local - 700 + 40 * np.log10(dwell / 1000)) / 20))
    wave = np.linspace(350, 900, pixels)
    return 0.4 + 0.25 * np.cos(2 * np.pi * 2 * (260 + 60 * phase) * 2.2 / wave + phase)


def stripe_picture(temperature, width=240, height=60):
    x = np.linspace(-1.2, 1.2, width)
    inside = (temperature * np.exp(-((2 * x / 1.2) ** 2)) > 700)[None, :, None]
    return np.broadcast_to(np.where(inside, [190, 160, 90], [90, 120, 180]), (height, width, 3)).astype(np.uint8)


def stripe_analysis(parameters, offsets):
    peak = parameters["peak_temperature"]
    temperatures = np.linspace(peak - 200, peak - 10, 16)
    gradient = 0.2 + 3 * np.exp(-(((temperatures - 700) / 25) ** 2))
    findings = [
        {
            "parameters": {"peak_temperature": float(t), "dwell": parameters["dwell"]},
            "values": {"optical_gradient": float(g)},
            "sd": {"optical_gradient": 0.1},
            "failure": None,
        }
        for t, g in zip(temperatures, gradient, strict=True)
    ]
    details = {"temperature_c": temperatures.tolist(), "gradient": gradient.tolist(), "gradient_sd": [0.1] * 16}
    details |= {"offset_mm": offsets.tolist(), "centre_mm": 0.012}
    values = {"optical_gradient": float(gradient.max())}
    return {"values": values, "findings": findings, "details": details, "analysis": "stripe_gradient 1"}


KITCHEN = """
labpilot: 1
name: kitchen
seed: 5
lab: lab.yaml
parameters:
  - {name: volume, kind: continuous, unit: mL, low: 0.5 mL, high: 5 mL}
  - {name: heat, kind: continuous, unit: degC, low: 50 degC, high: 400 degC}
objectives: [{name: weigh, direction: maximize, unit: g}]
recipe:
  - command: {device: doser, command: dispense, arguments: {volume_ml: $volume}}
  - wait: {duration: 30 s}
  - command: {device: oven, command: heat, arguments: {target_c: $heat}}
  - command: {device: scale, command: weigh}
analysis: {kind: reading}
planner: {policy: random, charge: 2 s}
batch: 3
budget: {trials: 9}
"""
KITCHEN_LAB = """
labpilot: 1
name: kitchen
devices:
  doser: {driver: FILE:Doser, url: sim:kitchen/doser, capacity: 3}
  oven: {driver: FILE:Oven, url: sim:kitchen/oven, capacity: 3}
  scale: {driver: FILE:Scale, url: sim:kitchen/scale, capacity: 3}
"""


@pytest.fixture
def kitchen(tmp_path, monkeypatch):
    """A campaign in a laboratory with an OPERATOR act, three trials at once; its world counts as installed."""
    from orchestrator import worlds
    from orchestrator.check import check_campaign

    file = Path(__file__).with_name("kitchen.py")
    world = SimpleNamespace(name="kitchen", load=lambda: class_at(f"{file}:Kitchen"))
    installed = worlds.entry_points

    def with_kitchen(group):
        return [*installed(group=group), *([world] if group == worlds.WORLDS else [])]

    monkeypatch.setattr(worlds, "entry_points", with_kitchen)
    folder = tmp_path / "kitchen"
    folder.mkdir()
    (folder / "campaign.yaml").write_text(KITCHEN)
    (folder / "lab.yaml").write_text(KITCHEN_LAB.replace("FILE", str(file)))
    return check_campaign(folder / "campaign.yaml").require()


@pytest.fixture
def fabricate(tmp_path):
    """Make a fabricator in a directory of its own; what is still open is closed at the end."""
    made = []

    def make(name="campaign", **options):
        made.append(Fabricator(tmp_path / name, **options))
        return made[-1]

    yield make
    for fabricator in made:
        fabricator.close()


BAKERY = """
labpilot: 1
name: bakery
seed: 5
lab: lab.yaml
parameters:
  - {name: flour, kind: categorical, levels: [wheat, rye]}
  - {name: heat, kind: continuous, unit: degC, low: 100 degC, high: 1000 degC, step: 100 K}
objectives: [{name: weight, direction: maximize, unit: mg}]
recipe:
  - dose: {mixture: $flour, mixtures: {wheat: {flour: 700 mg}, rye: {flour: 300 mg}}}
  - weigh: {}
  - mill: {duration: 60 s, frequency: 5 Hz}
  - fire: {program: {target: $heat, rate: 10 K/min, hold: 2 h}}
  - mill: {duration: 60 s, frequency: 5 Hz}
  - diffract: {}
analysis: {kind: reading, options: {values: {weight: weight}}}
planner: {policy: random, charge: 2 s}
batch: 3
in_flight: 6
budget: {trials: 12}
"""
BAKERY_LAB = """
labpilot: 1
name: bakery
devices:
  arm-1: {driver: FILE:Arm, url: sim:bakery/arm-1}
  arm-2: {driver: FILE:Arm, url: sim:bakery/arm-2}
  doser: {driver: FILE:Doser, url: sim:bakery/doser}
  scale: {driver: FILE:Scale, url: sim:bakery/scale}
  mill: {driver: FILE:Mill, url: sim:bakery/mill}
  oven-1: {driver: FILE:Oven, url: sim:bakery/oven-1}
  oven-2: {driver: FILE:Oven, url: sim:bakery/oven-2}
  door-1: {driver: FILE:Door, url: sim:bakery/door-1}
  door-2: {driver: FILE:Door, url: sim:bakery/door-2}
  camera: {driver: FILE:Camera, url: sim:bakery/camera}
samples:
  kind: racks
  homes: [home-1..home-4]
  magazine: stack
  chute: bin
  robots:
    arm-1: [home-1..home-4, stack, scale, mill, bridge, bin]
    arm-2: [bridge, oven-1-1..oven-1-2, oven-2-1..oven-2-2, desk-1]
  stations:
    dosing: {places: [scale], devices: [doser, scale]}
    mill: {places: [mill], devices: [mill]}
    oven-1: {places: [oven-1-1..oven-1-2], devices: [oven-1, door-1]}
    oven-2: {places: [oven-2-1..oven-2-2], devices: [oven-2, door-2]}
    desk: {places: [desk-1], devices: [camera]}
  materials: {doser: flour}
"""


@pytest.fixture
def bakery(tmp_path, monkeypatch):
    """A campaign in a laboratory with racks and shared ovens; call it with changes of its files' text."""
    from orchestrator import worlds
    from orchestrator.check import check_campaign

    file = Path(__file__).with_name("bakery.py")
    world = SimpleNamespace(name="bakery", load=lambda: class_at(f"{file}:Bakery"))
    installed = worlds.entry_points

    def with_bakery(group):
        return [*installed(group=group), *([world] if group == worlds.WORLDS else [])]

    monkeypatch.setattr(worlds, "entry_points", with_bakery)

    def made(*overrides, lab=""):
        folder = tmp_path / "bakery"
        folder.mkdir(exist_ok=True)
        (folder / "campaign.yaml").write_text(BAKERY)
        (folder / "lab.yaml").write_text(BAKERY_LAB.replace("FILE", str(file)) + lab)
        return check_campaign(folder / "campaign.yaml", None, list(overrides)).require()

    return made


@pytest.fixture
def bench(tmp_path):
    """A runner and its oven; call it with what the oven is to answer."""
    from tests.orchestrator.oven import Bench, Oven

    made = []

    def make(*script):
        made.append(Bench(tmp_path, Oven(*script)))
        return made[-1]

    yield make
    for item in made:
        item.engine.dispose()


@pytest.fixture
def workshop(tmp_path):
    """Two arms and an oven, and what carries samples there."""
    from tests.orchestrator.workshop import Workshop

    made = Workshop(tmp_path)
    yield made
    made.engine.dispose()
