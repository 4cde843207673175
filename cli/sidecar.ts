/** `lateen sidecar`: the proxy beside one application. */
import type { Command } from 'commander';
import { proxyCommand } from './proxy-command.ts';

export const command = (): Command => proxyCommand('sidecar');
