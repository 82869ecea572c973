/**
 * What Node is told for a service, as in infra/Dockerfile. The notifier makes much that is gone a moment later. By default V8 lets its
 * nursery grow to 64 MiB before it cleans up, and where memory is plenty, what outlived the nursery to far more. The most it ever had in
 * thousands of deliveries:
 *
 *   as it is                 242–256 MiB
 *   a nursery of 4 or 8 MiB  150–227 MiB, the more deliveries, the more
 *   and a limit for the rest 133–146 MiB, however many; some 40 are in use. As many were delivered in a second.
 */
export const nodeFlags = (service: string): string[] =>
  service === 'notifier' ? ['--max-semi-space-size=4', '--max-old-space-size=512'] : [];
