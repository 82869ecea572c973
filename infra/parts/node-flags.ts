/**
 * Node's flags for a service, as in infra/Dockerfile. The notifier makes many objects that live only for a moment. By default V8 lets its
 * nursery (the space for new objects) grow to 64 MiB before it cleans up. With much free memory, the space for older objects grows to far
 * more. The most memory that the notifier had in thousands of deliveries:
 *
 *   default                   242–256 MiB
 *   a nursery of 4 or 8 MiB   150–227 MiB, growing with the number of deliveries
 *   and a limit for the rest  133–146 MiB for any number; some 40 MiB are in use. The deliveries per second stay the same.
 */
export const nodeFlags = (service: string): string[] =>
  service === 'notifier' ? ['--max-semi-space-size=4', '--max-old-space-size=512'] : [];
