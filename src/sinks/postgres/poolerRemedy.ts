/** What to do about a pooler that gives a session to others between two transactions. */
export const sessionPoolingRemedy =
  'let the address (DATABASE_URL) lead to PostgreSQL itself, or to the pooler in session mode (PgBouncer: pool_mode = session; Supabase: port 5432; Neon: the host name without -pooler; RDS Proxy: the address of the instance)'
