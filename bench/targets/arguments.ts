/** The command line that every Node target is started with: HOST PORT ORIGIN_HOST ORIGIN_PORT [PACKAGE]. */
const [host = '127.0.0.1', port = '0', originHost = '127.0.0.1', originPort = '0', pack = ''] = process.argv.slice(2);

export const here = { host, port: Number(port) };
export const origin = { host: originHost, port: Number(originPort) };
/** For targets that serve several packages with one script. */
export const packageName = pack;
