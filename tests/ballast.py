"""A function for a child process, in a module of its own: what a child imports takes memory and time."""

from winnow.benchmarking.measurement import peak_of_process

BALLAST = 300 * 2**20


def peak_with_ballast() -> int:
    ballast = bytearray(BALLAST)
    return len(ballast) and peak_of_process()
