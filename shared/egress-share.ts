/**
 * The part of a machine's connection table (nf_conntrack_max) that all sandboxes with egress together may fill: half for open
 * connections, and a quarter for closed ones, which stay in the table for two minutes. The rest is for the machine itself.
 */
const openShare = 1 / 2;
const closedShare = 1 / 4;
/** nf_conntrack_tcp_timeout_time_wait in seconds, and below it the length of the burst in the same unit. */
const closedSeconds = 120;
const burstSeconds = 8;

/** How many sandboxes with egress may exist at a time, if each opens all the connections that it may have. */
export const sandboxesWithEgress = (each: number, tracked: number): number =>
  Math.max(1, Math.floor((tracked * openShare) / each));

/** How many new connections all of them together may open each second. */
export const newOfAllPerSecond = (tracked: number): number =>
  Math.max(1, Math.floor((tracked * closedShare) / (closedSeconds + burstSeconds)));

export const burstOfAll = (tracked: number): number => newOfAllPerSecond(tracked) * burstSeconds;
