/** It comes without types. */
declare module 'piston-client' {
  type Result = Record<string, unknown>;
  type Client = {
    runtimes(): Promise<Result[]>;
    execute(language: string, code: string, config?: Result): Promise<Result>;
    execute(config: Result): Promise<Result>;
  };
  export default function piston(options: { server: string }): Client;
}
