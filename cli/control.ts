/** `lateen control`: the control API alone, for proxies that somebody else runs (containers, pods). */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { startControlPlane } from './control-plane.ts';
import { each, port } from './flags.ts';

type Flags = {
  readonly host: string;
  readonly port: number;
  readonly state: string;
  readonly watch?: string;
  readonly allowHost?: readonly string[];
};

export const command = (): Command =>
  new Command('control')
    .description('Runs the control API alone until it is told to stop.')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', port, 8001)
    .option('--state <dir>', 'where changes are kept', '.lateen')
    .option('--watch <dir>', 'follow the YAML files of this directory')
    .option('--allow-host <name>', 'answer to this host name, too; repeatable', each(String))
    .action(async (flags: Flags) => {
      const plane = await startControlPlane({
        host: flags.host,
        port: flags.port,
        stateDir: resolve(flags.state),
        allowHosts: flags.allowHost ?? [],
        watchDir: flags.watch ?? null,
        runtime: null,
        ready: () => ({ ready: true, reasons: [] }),
        mesh: {},
      });
      process.stdout.write(`ready: control API at ${plane.api.url}\n`);
      let stopping = false;
      const stop = (): void => {
        if (stopping) process.exit(1);
        stopping = true;
        void plane.close().finally(() => process.exit(0));
      };
      process.on('SIGINT', stop);
      process.on('SIGTERM', stop);
    });
