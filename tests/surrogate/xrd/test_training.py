from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from surrogate.xrd.fit import start
from surrogate.xrd.generate import LEVELS, generate
from surrogate.xrd.generate_draw import drawn
from surrogate.xrd.library import Library, embedded_library
from surrogate.xrd.network import PhaseNetwork, load_network
from surrogate.xrd.network_file import WrongNetwork, stored
from surrogate.xrd.pattern import Pattern
from surrogate.xrd.training import HELD_OUT_SEED, Student, TrainingJob, finished, new_student, train
from surrogate.xrd.training_command import _Signals, main
from surrogate.xrd.training_data import TRAINING_GRID, World, make_world
from surrogate.xrd.training_fine import Adjudicated, Replay, Tuning, fine_tune
from surrogate.xrd.training_metrics import auroc, calibration_error, logits_of, measured, temperatures, top_recall
from tests.surrogate.xrd.phase_networks import NAMES, library, pattern_of

TINY = TrainingJob(steps=9, batch=4, seed=3, channels=(4, 6, 6, 6), hidden=8, n_held_out=6)
LEARNER = TrainingJob(steps=130, batch=32, seed=1, channels=(6, 8, 12, 12), hidden=32, levels=("L1",), n_held_out=60)
JOB_SCRIPT = """
import dataclasses, json, sys, torch
from pathlib import Path
from surrogate.xrd.library import embedded_library
from surrogate.xrd.training import TrainingJob, train
from surrogate.xrd.training_data import make_world
torch.set_num_threads(1)
settings = json.loads(sys.argv[2])
settings |= {name: tuple(settings[name]) for name in ("levels", "channels")}
world = make_world(embedded_library(sys.argv[3].split()), strangers=())
train(TrainingJob(**settings), world, Path(sys.argv[1]), every=1)
"""


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(library(), strangers=())


@pytest.fixture(scope="module")
def learner(world: World, tmp_path_factory: pytest.TempPathFactory) -> PhaseNetwork:
    student = train(LEARNER, world, tmp_path_factory.mktemp("learner") / "c.npz", every=80)
    return finished(student, n_calibration=300)


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    return stored(path)[0]


def assert_same(first: Path, second: Path) -> None:
    one, other = arrays_of(first), arrays_of(second)
    assert set(one) == set(other)
    assert any(name.startswith("exp_avg/") for name in one)
    for name, value in one.items():
        assert np.array_equal(value, other[name]), name


def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path, world: World) -> None:
    train(TINY, world, tmp_path / "whole.npz", every=4)
    for last in (0, 3, 4, 9):
        train(TINY, world, tmp_path / "parts.npz", every=2, stop=lambda step, last=last: step == last)
    assert_same(tmp_path / "whole.npz", tmp_path / "parts.npz")


def test_a_killed_training_ends_as_one_that_was_left_alone(tmp_path: Path, world: World) -> None:
    job = replace(TINY, steps=400)
    begin = [sys.executable, "-c", JOB_SCRIPT, str(tmp_path / "killed.npz")]
    process = subprocess.Popen([*begin, json.dumps(job.as_dict()), " ".join(NAMES)])
    try:
        wait_for_step(tmp_path / "killed.npz", 2 + int(np.random.default_rng().integers(6)), process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    reached = stored(tmp_path / "killed.npz")[1]["step"]
    assert 2 <= reached < 400
    stop = reached + 3
    train(job, world, tmp_path / "killed.npz", every=100, stop=lambda step: step == stop)
    train(job, world, tmp_path / "whole.npz", every=100, stop=lambda step: step == stop)
    assert_same(tmp_path / "whole.npz", tmp_path / "killed.npz")


def wait_for_step(path: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and stored(path)[1]["step"] >= step:
            return
        time.sleep(0.02)
    raise AssertionError(f"the job did not reach step {step}; it returned {process.poll()}")


@pytest.fixture
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_command_after_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    learn = Student.learn

    def interrupted(student: Student) -> None:
        learn(student)
        if student.step == 3:
            signal.raise_signal(number)

    monkeypatch.setattr("surrogate.xrd.training_command.TrainingJob", lambda: TINY)
    monkeypatch.setattr(Student, "learn", interrupted)
    command = ["--embedded", *NAMES[:4], "--out", str(tmp_path), "--batch", "2", "--every", "50", "--steps"]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "9"])
    assert stopped.value.code == 128 + number
    head = stored(tmp_path / "checkpoint.npz")[1]
    assert head["step"] == 3
    assert json.loads((tmp_path / "checkpoint.json").read_text()) == head
    with pytest.raises(SystemExit, match="2"):
        main([*command, "8"])
    assert "belongs to another job (steps: 9 there, 8 here)" in capsys.readouterr().err


@pytest.mark.usefixtures("handlers")
def test_a_second_signal_is_not_waited_for() -> None:
    signals = _Signals()
    assert not signals.stop(0)
    signal.raise_signal(signal.SIGINT)
    assert signals.stop(0) and signals.number == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--embedded", "rutle"], "no embedded phase is called rutle"),
        (["--phases", "nowhere"], "--phases nowhere is no folder"),
        (["--embedded", "rutile", "--steps", "0"], "0 is too few; give 1 at least"),
        (["--embedded", "rutile", "--every", "-1"], "give 1 at least"),
        (["--embedded", "rutile", "--device", "cuda"], "--device cuda: no GPU is at hand"),
    ],
)
def test_a_wrong_call_is_refused_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--out", str(tmp_path / "run")])
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("handlers")
def test_the_command_writes_a_network_and_how_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate.xrd.training_command.TrainingJob", lambda: TINY)
    monkeypatch.setattr("surrogate.xrd.training_command.finished", lambda student: finished(student, n_calibration=6))
    main(["--embedded", *NAMES[:4], "--out", str(tmp_path), "--batch", "2", "--steps", "2", "--seed", "5"])
    network = load_network(tmp_path / "network.npz")
    assert network.names == NAMES[:4]
    assert network.library_key == embedded_library(NAMES[:4]).key
    assert network.facts["patterns"] == 4
    assert network.facts["job"]["seed"] == 5
    assert network.facts["phase_keys"] == {phase.name: phase.key for phase in embedded_library(NAMES[:4]).phases}
    assert len(network.facts["strangers"]) == len(embedded_library().phases) - 4


def test_another_seed_gives_another_network(tmp_path: Path, world: World) -> None:
    short = replace(TINY, steps=2)
    train(short, world, tmp_path / "a.npz")
    train(replace(short, seed=4), world, tmp_path / "b.npz")
    name = "weights/last.weight"
    assert not np.array_equal(arrays_of(tmp_path / "a.npz")[name], arrays_of(tmp_path / "b.npz")[name])


def test_a_checkpoint_of_another_library_or_generator_is_refused(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(TINY, world, tmp_path / "a.npz", stop=lambda step: step == 1)
    turned = make_world(Library(phases=library().phases[::-1]), strangers=())
    with pytest.raises(WrongNetwork, match=r"\(phases: not the same\)"):
        train(TINY, turned, tmp_path / "a.npz")
    monkeypatch.setattr("surrogate.xrd.training.GENERATOR_VERSION", -1)
    with pytest.raises(WrongNetwork, match=r"\(generator_version: not the same\)"):
        train(TINY, world, tmp_path / "a.npz")


def test_a_broken_checkpoint_is_refused(tmp_path: Path, world: World) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(WrongNetwork, match="holds no network or checkpoint"):
        train(TINY, world, tmp_path / "a.npz")


def test_held_out_patterns_are_reproducible_and_others_than_those_trained_on(world: World) -> None:
    student = new_student(TINY, world, torch.device("cpu"))
    first, again = (student.held_out(HELD_OUT_SEED, 6)[0].inputs for _ in range(2))
    assert torch.equal(first, again)
    trained = student._lesson("L1", len(first), student.generator).inputs
    assert not torch.equal(first, trained)


def test_a_library_without_phases_cannot_be_learnt() -> None:
    with pytest.raises(ValueError, match="no phases"):
        make_world(Library(phases=()))


def test_strangers_are_the_embedded_phases_that_a_library_lacks() -> None:
    world = make_world(embedded_library(["rutile", "anatase"]))
    assert world.n_known == 2
    assert world.atlas.n_phases == len(embedded_library().phases)
    assert {"rutile", "anatase"}.isdisjoint(phase.name for phase in world.atlas.phases[2:])


def test_a_network_learns_to_tell_phases(learner: PhaseNetwork, world: World) -> None:
    batch = generate(world.atlas, replace(LEVELS["L1"], grid=TRAINING_GRID), 60, torch.Generator().manual_seed(77))
    said = np.array([learner.log_odds(pattern_of(counts, batch.grid)) for counts in batch.counts])
    truth = batch.weights.numpy() > 0
    assert auroc(torch.tensor(said.ravel()), torch.tensor(truth.ravel())) > 0.93
    as_learnt = replace(learner, temperature=1.0, unknown_temperature=1.0)
    assert held_out_loss(learner, world) < held_out_loss(as_learnt, world)


def held_out_loss(network: PhaseNetwork, world: World) -> float:
    student = new_student(LEARNER, world, torch.device("cpu"))
    temperature = (network.temperature, network.unknown_temperature)
    return measured(*logits_of(network.net, student.held_out(HELD_OUT_SEED, 150)), temperature).loss


def platelets(world: World, n: int, seed: int) -> list[Pattern]:
    """Return a little corundum beside halite: textured, swollen and of 3 nm as no generated pattern of L1 has it."""
    grid = TRAINING_GRID
    generator = torch.Generator().manual_seed(seed)
    phase = torch.tensor([1, 3]).repeat(n)
    row = torch.arange(n).repeat_interleave(2)
    begin = start(world.atlas, phase, row, width_deg=torch.full((n,), 0.08, dtype=torch.float64))
    texture = begin.texture.clone()
    texture[::2, :2] = torch.tensor([2.0, 0.8], dtype=torch.float64)
    strain = begin.strain.clone()
    strain[::2] = -0.04 * world.atlas.isotropic[1]
    size = torch.where(phase == 1, 1.2, begin.log_size_nm)
    textured = begin.with_(texture=texture, strain=strain, log_size_nm=size)
    parts = torch.stack([0.1 + 0.5 * torch.rand(n, generator=generator), 0.15 * torch.ones(n)], dim=1).ravel()
    peaks = drawn(world.atlas, grid, textured, parts.to(torch.float64))
    counts = torch.poisson(300.0 + 5e3 * peaks / peaks.amax(1, keepdim=True), generator=generator)
    return [pattern_of(one, grid) for one in counts]


def test_fine_tuning_learns_what_a_campaign_sees_and_keeps_the_rest(learner: PhaseNetwork, world: World) -> None:
    labels = {"corundum": 0.97, "halite": 0.9}
    seen = [Adjudicated(pattern=one, probability=labels) for one in platelets(world, 20, seed=5)]
    tuned = fine_tune(
        learner,
        seen,
        replay=Replay(world=world, seed=11, levels=("L1",)),
        tuning=Tuning(steps=80, learning_rate=1e-3, n_calibration=300),
    )
    new = platelets(world, 10, seed=6)
    before, after = (np.mean([one.log_odds(p) for p in new], axis=0) for one in (learner, tuned))
    place = NAMES.index("corundum")
    assert before[place] < -1.0
    assert after[place] > 0.0
    # in nats for each pattern of six phases
    assert held_out_loss(tuned, world) < held_out_loss(learner, world) + 0.1
    assert tuned.facts["fine_tuned"][0]["replay_seed"] == 11
    assert torch.equal(tuned.net.stem[0].weight, learner.net.stem[0].weight)
    assert not torch.equal(tuned.net.last.weight, learner.net.last.weight)


def test_fine_tuning_refuses_what_it_cannot_learn_from(learner: PhaseNetwork, world: World) -> None:
    pattern = platelets(world, 1, seed=1)[0]
    replay = Replay(world=world, seed=1)
    with pytest.raises(ValueError, match="no adjudicated pattern"):
        fine_tune(learner, [], replay=replay)
    with pytest.raises(ValueError, match="at least 0.5"):
        fine_tune(learner, [Adjudicated(pattern=pattern, probability={})], replay=replace(replay, share=0.2))
    with pytest.raises(ValueError, match="no phase unobtainium"):
        fine_tune(learner, [Adjudicated(pattern=pattern, probability={"unobtainium": 1.0})], replay=replay)
    with pytest.raises(ValueError, match="not at 1.2"):
        fine_tune(learner, [Adjudicated(pattern=pattern, probability={"rutile": 1.2})], replay=replay)
    other = make_world(embedded_library(NAMES[:5]), strangers=())
    with pytest.raises(WrongNetwork, match="replay is made from a library"):
        fine_tune(learner, [Adjudicated(pattern=pattern, probability={})], replay=replace(replay, world=other))


def test_temperatures_undo_overconfidence() -> None:
    generator = torch.Generator().manual_seed(0)
    honest = 2.0 * torch.randn(4000, 3, generator=generator, dtype=torch.float64)
    truth = (torch.rand(4000, 3, generator=generator, dtype=torch.float64) < torch.sigmoid(honest)).to(torch.float64)
    phases, unknown = temperatures(torch.cat([3.0 * honest[:, :2], 0.5 * honest[:, 2:]], dim=1), truth)
    assert phases == pytest.approx(3.0, rel=0.1)
    assert unknown == pytest.approx(0.5, rel=0.1)


def test_metrics_of_known_cases() -> None:
    truth = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    logits = torch.tensor([[3.0, 2.0, 1.0], [0.0, 5.0, 1.0]])
    assert top_recall(logits, truth, top=2) == pytest.approx(2 / 3)
    assert auroc(torch.tensor([1.0, 2.0, 2.0]), torch.tensor([False, True, False])) == pytest.approx(0.75)
    assert np.isnan(auroc(torch.tensor([1.0]), torch.tensor([True])))
    half = torch.full((100,), 0.5)
    assert calibration_error(half, torch.arange(100) % 2) == pytest.approx(0.0)
    assert calibration_error(half, torch.ones(100)) == pytest.approx(0.5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_training_goes_on_on_a_gpu(tmp_path: Path, world: World) -> None:
    train(TINY, world, tmp_path / "a.npz", device="cuda", stop=lambda step: step == 2)
    student = train(TINY, world, tmp_path / "a.npz", device="cuda")
    assert student.step == TINY.steps
    assert finished(student, n_calibration=9).net.last.weight.device.type == "cpu"


def test_all_of_a_batch_is_labelled(world: World) -> None:
    student = new_student(TINY, world, torch.device("cpu"))
    lesson = student._lesson("L3", 40, student.generator)
    torch.testing.assert_close(lesson.share.sum(1), torch.ones(40))
    assert bool(lesson.present[:, -1].any())
    assert not bool(lesson.present[:, -1].all())
