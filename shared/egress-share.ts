/**
 * How much of a machine's table of connections (nf_conntrack_max) all sandboxes with egress together may fill: half with connections that
 * are open, a quarter with those that are closed, which stay for two minutes. The rest is the machine's own.
 */
const openShare = 1 / 2;
const closedShare = 1 / 4;
/** nf_conntrack_tcp_timeout_time_wait, and the burst in the same unit. */
const closedSeconds = 120;
const burstSeconds = 8;

/** Sandboxes with egress at a time, each with all the connections that it may have. */
export const sandboxesWithEgress = (each: number, tracked: number): number =>
  Math.max(1, Math.floor((tracked * openShare) / each));

/** Connections that all of them together may open anew each second. */
export const newOfAllPerSecond = (tracked: number): number =>
  Math.max(1, Math.floor((tracked * closedShare) / (closedSeconds + burstSeconds)));

export const burstOfAll = (tracked: number): number => newOfAllPerSecond(tracked) * burstSeconds;
