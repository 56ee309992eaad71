-- The lake: tables in the format of Iceberg, whose files lie in the archive's store. The rows here are the truth, and what lies beside the files derives from them, so
-- whatever no row names was never committed.
CREATE TABLE lake_table (
  -- With its namespace: market.trades.
  name     text   PRIMARY KEY,
  uuid     uuid   NOT NULL,
  location text   NOT NULL,
  -- Counts the commits.
  sequence bigint NOT NULL,
  -- All schemas that the table has had, the newest last.
  schemas  jsonb  NOT NULL
);

CREATE TABLE lake_snapshot (
  table_name    text        NOT NULL REFERENCES lake_table,
  sequence      bigint      NOT NULL,
  committed_at  timestamptz NOT NULL,
  operation     text        NOT NULL,
  summary       jsonb       NOT NULL,
  manifest_list text        NOT NULL,
  schema_id     integer     NOT NULL,
  metadata      text        NOT NULL,
  PRIMARY KEY (table_name, sequence)
);

-- A manifest is listed by the snapshots from added to before removed.
CREATE TABLE lake_manifest (
  table_name text    NOT NULL REFERENCES lake_table,
  path       text    NOT NULL,
  -- Months since 1970 of the files in it; 0 in a table that is not cut by days.
  month      integer NOT NULL,
  facts      jsonb   NOT NULL,
  added      bigint  NOT NULL,
  removed    bigint,
  PRIMARY KEY (table_name, path, added)
);

-- A data file is part of the snapshots from added to before removed.
CREATE TABLE lake_file (
  table_name  text    NOT NULL REFERENCES lake_table,
  path        text    NOT NULL,
  -- Days since 1970, UTC; NULL in a table that is not cut by days.
  day         integer,
  row_count   bigint  NOT NULL,
  size_bytes  bigint  NOT NULL,
  sha256      text    NOT NULL,
  null_counts jsonb   NOT NULL,
  lower       jsonb   NOT NULL,
  upper       jsonb   NOT NULL,
  added       bigint  NOT NULL,
  removed     bigint,
  PRIMARY KEY (table_name, path, added)
);
CREATE INDEX lake_file_live ON lake_file (table_name, day) WHERE removed IS NULL;

-- What clients of the JDBC catalog of Iceberg look for, pyiceberg and Spark among them.
CREATE TABLE iceberg_tables (
  catalog_name               varchar(255) NOT NULL,
  table_namespace            varchar(255) NOT NULL,
  table_name                 varchar(255) NOT NULL,
  metadata_location          varchar(1000),
  previous_metadata_location varchar(1000),
  iceberg_type               varchar(5),
  PRIMARY KEY (catalog_name, table_namespace, table_name)
);
CREATE TABLE iceberg_namespace_properties (
  catalog_name   varchar(255) NOT NULL,
  namespace      varchar(255) NOT NULL,
  property_key   varchar(255) NOT NULL,
  property_value varchar(1000),
  PRIMARY KEY (catalog_name, namespace, property_key)
);
