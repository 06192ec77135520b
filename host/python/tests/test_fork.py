"""Child processes that inherit a scope: they leave it alone."""

import os
import signal
import warnings

import scopething


def test_a_child_process_leaves_threads_of_its_parent_alone(simulated_scope):
    simulator = simulated_scope(A="dc 1V", tcp=True)
    with simulator.connect() as scope, scope.stream("A", block=10) as stream:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            signal.alarm(20)
            try:
                next(stream)
            except scopething.Usage:
                stream.close()
                simulator.close()
                os._exit(0)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert len(next(stream)) == 10


def test_a_child_process_cannot_use_it_and_leaves_it_alone():
    with scopething.connect("sim:") as scope:
        scope.start_clock(1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                scope.capture("A", timeout=0)
            except scopething.Usage as error:
                os._exit(0 if "another process" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert scope.generators == "clocks"
        scope.stop_clock()
