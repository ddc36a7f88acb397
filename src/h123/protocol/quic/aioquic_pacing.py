"""Pacing in steps that a program's timers can keep.

RFC 9002 section 7.7. aioquic wants to be woken for each few packets, often microseconds apart: a wake-up
then costs more than the packets that it sends. Here nothing waits for less than a millisecond, and what the
rate allows in two of them may leave at once, as far as a receiver's socket buffer is likely to hold it.
"""

from __future__ import annotations

from aioquic.quic.recovery import QuicPacketPacer

SHORTEST_WAIT = 0.001
"""Seconds: what event loops and `poll` resolve."""
LARGEST_BURST = 64
"""Datagrams that leave at once: with the kernel's overhead, half of Linux's default socket buffer."""


_EXACT = 1e-9  # seconds that a sum of waits may lack


class CoarsePacer(QuicPacketPacer):
    """aioquic's pacer, with fewer and larger steps.

    And with a datagram's whole time to wait for: aioquic lets one leave at each wake-up, however early.
    """

    def next_send_time(self, now: float) -> float | None:  # type: ignore[override]  # as it is, too
        """Return when the next datagram may leave, or None for at once."""
        if self.packet_time is None:
            return None
        self.update_bucket(now=now)
        missing = self.packet_time - self.bucket_time
        return None if missing <= _EXACT else now + max(missing, SHORTEST_WAIT)

    def update_after_send(self, now: float) -> None:
        """Take note of a datagram that leaves; one that carries an acknowledgement does not wait."""
        if self.packet_time is not None:
            self.update_bucket(now=now)
            self.bucket_time = max(0.0, self.bucket_time - self.packet_time)

    def update_rate(self, congestion_window: int, smoothed_rtt: float) -> None:
        """Take note of a new rate: bytes in `smoothed_rtt` seconds."""
        super().update_rate(congestion_window, smoothed_rtt)
        assert self.packet_time is not None
        burst = min(2 * SHORTEST_WAIT, LARGEST_BURST * self.packet_time)
        self.bucket_max = max(self.bucket_max, burst)
