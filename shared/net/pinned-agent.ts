import type { LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { limitAnswers } from './limit-answers.ts';
import type { Address } from './look-up.ts';

const keptMs = 10_000;
export const maxHeaderBytes = 16 * 1024;

/**
 * Connects to these addresses, also if the name has other addresses by now. SNI and Host still carry the name.
 *
 * @param limits `answerBytes`: an answer with more bytes, headers included, is broken off. `verify`: whether the certificate
 * must be the host's.
 */
export function pinnedAgent(
  addresses: Address[],
  limits: { timeoutMs: number; answerBytes: number; verify?: boolean },
): Agent {
  const { timeoutMs } = limits;
  const lookup: LookupFunction = (_host, wanted, callback) => {
    if (wanted.all === true) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
  };
  // HTTP/2 is off, because the limits below do not apply to it: a server that chose HTTP/2 would escape them.
  const connect = buildConnector({
    lookup,
    autoSelectFamily: true,
    timeout: timeoutMs,
    allowH2: false,
    rejectUnauthorized: limits.verify ?? true,
  });
  return new Agent({
    connect: (target, callback) =>
      connect(target, (...made) => {
        if (made[0] === null) limitAnswers(made[1], limits.answerBytes);
        callback(...made);
      }),
    keepAliveTimeout: keptMs,
    keepAliveMaxTimeout: keptMs,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxHeaderSize: maxHeaderBytes,
    pipelining: 1,
    allowH2: false,
  });
}
