/** `lateen gateway`: the proxy at the edge of the mesh, which serves Gateway resources. */
import type { Command } from 'commander';
import { proxyCommand } from './proxy-command.ts';

export const command = (): Command => proxyCommand('gateway');
