"""A pool whose function has a debugger, and one that another pool takes the place of."""

from tests.host.test_pool import Scene


def alone() -> Scene:
    scene = Scene()
    scene.pool._alone = True
    return scene


def test_a_function_with_a_debugger_has_one_environment_however_many_wait():
    scene = alone()
    scene.submit(5)
    scene.ready()
    scene.clock.advance(10)
    assert len(scene.engine.started) == 1
    for _ in range(5):
        scene.engine.started[0].finish()
    assert len(scene.outcomes) == 5


def test_the_next_environment_starts_when_the_last_one_has_ended():
    scene = alone()
    scene.submit(1)
    old = scene.ready()
    scene.pool.renew()
    scene.submit(1)
    scene.clock.advance(10)
    assert (old.retired, len(scene.engine.started)) == (True, 1)
    old.finish()
    assert len(scene.engine.started) == 2


def test_it_is_kept_though_it_is_idle():
    scene = alone()
    scene.submit(1)
    scene.ready().finish()
    scene.pool.stop_idle(scene.clock() + 1_000)
    assert scene.pool.longest_idle() is None
    assert not scene.engine.started[0].stopped


def test_what_waits_is_handed_over_with_what_it_had_taken():
    scene = Scene(reserved_concurrency=2)
    scene.submit(2)
    busy = scene.ready()
    (waiting,) = scene.pool.leave()
    assert (scene.pool.running, scene.allowance.running) == (1, 1)
    busy.finish()
    assert busy.stopped or busy.retired
    assert (scene.pool.running, len(scene.outcomes)) == (0, 1)
    scene.pool.submit(waiting)
    assert scene.allowance.running == 1
