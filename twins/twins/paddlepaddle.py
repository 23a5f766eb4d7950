"""Paddle, imported so that the process stays ours: its signals, its warnings, its standard error.

At import Paddle puts a handler of its own in place of every other one for SIGTERM, which prints a stack and ends the
process, and remarks on compilers for C++ extensions, of which there are none here.
"""

import os
import signal
import threading
import warnings

os.environ.setdefault("GLOG_minloglevel", "2")  # errors only: its warnings are about itself

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import paddle
    import paddle.nn.functional
    from paddle import Tensor, inference, nn

__all__ = ["Tensor", "functional", "inference", "nn", "paddle"]

functional = nn.functional

paddle.disable_signal_handler()
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)
