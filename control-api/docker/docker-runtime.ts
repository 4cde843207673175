/** Logs of, and commands in, pods that are containers of docker compose: `lateen control --docker`. */
import type { PodRuntime } from '../pod-runtime.ts';
import { containerOfPod } from './compose-container.ts';
import { containerExec } from './container-exec.ts';
import { containerLog } from './container-log.ts';
import { Engine } from './engine.ts';

/**
 * `socket`: path of Docker's; nothing is opened before somebody asks, and what is wrong then is told to whoever does.
 * `project`: of docker compose; null: the one of this process's own container, or COMPOSE_PROJECT_NAME.
 */
export function dockerRuntime(socket: string, project: string | null): PodRuntime {
  const engine = new Engine(socket);
  return {
    registered: true,
    logs: async (_namespace, pod, container, options) =>
      containerLog(engine, await containerOfPod(engine, project, pod, container), options),
    exec: async (_namespace, pod, container, command) =>
      containerExec(engine, await containerOfPod(engine, project, pod, container), command),
  };
}
