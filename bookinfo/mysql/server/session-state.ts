/** What the embedded server knows of one connection, and of itself. */

export type Session = {
  readonly id: number;
  readonly user: string;
  database: string | null;
  lastInsertId: number;
};

/** Drivers look at its numbers before they believe the rest. */
export const SERVER_VERSION = '5.7.0-lateen';
/** Longest packet taken, in bytes. */
export const MAX_PACKET = 1024 * 1024;

/** What `@@name` and SHOW VARIABLES say: what drivers ask for when they connect. */
export const serverVariables: Readonly<Record<string, string>> = {
  auto_increment_increment: '1',
  autocommit: '1',
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_results: 'utf8mb4',
  character_set_server: 'utf8mb4',
  collation_connection: 'utf8mb4_general_ci',
  collation_server: 'utf8mb4_general_ci',
  init_connect: '',
  interactive_timeout: '600',
  license: 'Apache-2.0',
  lower_case_table_names: '0',
  max_allowed_packet: String(MAX_PACKET),
  net_write_timeout: '60',
  performance_schema: '0',
  sql_mode: 'STRICT_TRANS_TABLES',
  system_time_zone: 'UTC',
  time_zone: 'UTC',
  transaction_isolation: 'READ-COMMITTED',
  tx_isolation: 'READ-COMMITTED',
  version: SERVER_VERSION,
  version_comment: 'Lateen',
  wait_timeout: '600',
};
