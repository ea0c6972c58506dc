import { MODELINE } from './modeline.ts';

/** A commented configuration with two activations, for an editor. */
export const STARTING_POINT = `${MODELINE}
# Configuration of Sluice. All keys are in docs/reference/configuration.md.
version: 1

# State, run journal and history. It belongs to this machine; back it up with the rest.
dataDirectory: ./.sluice

# Where rows come from. \${NAME} is taken from the environment, \${file:/path} from a file.
sources:
  warehouse:
    type: postgres
    url: \${WAREHOUSE_URL}              # postgresql://user:password@host:5432/database?sslmode=verify-full

# Where files go. The container must exist.
destinations:
  lake:
    type: azure-blob
    accountUrl: https://example.blob.core.windows.net
    container: exports
    folder: crm/                       # a prefix for every file of this destination; may be left out
    auth:                              # exactly one of these
      sasToken: \${AZURE_SAS_TOKEN}     # write (w) and read (r); delete (d) to remove stale parts
      # connectionString: \${AZURE_STORAGE_CONNECTION_STRING}
      # accountKey: \${AZURE_STORAGE_KEY}
      # identity: default              # managed identity, workload identity, az login

# Queries: one statement each, which reads.
models:
  customers:
    source: warehouse
    sql: |
      select id, email, first_name, last_name, country, updated_at
      from customers
    primaryKey: [id]                   # needed for deltas

# A model with a filter; may be left out.
segments:
  french_customers:
    model: customers
    where: country = 'FR'

activations:
  # Every row, every time.
  customers_to_lake:
    model: customers
    destination: lake
    fileName: "{YYYY}/{MM}/{DD}/customers"    # .csv is added
    format: { type: csv }

  # Every row once, then what was added, updated and removed, each in a file of its own.
  french_customers_changes:
    segment: french_customers
    destination: lake
    fileName: "changes/{YYYY}-{MM}-{DD}T{HH}{mm}{ss}/customers"
    format: { type: csv, delimiter: ";", compression: gzip }
    runType: full_then_delta
    syncMode: difference               # or upsert, or insert
    mapping:                           # left out: every column under its own name
      - id
      - email
      - { from: last_name, to: family_name }
    maxFileSize: 1GiB                  # a hard limit on each file; past it the next part begins
    warnings:
      removedRowsOver: 20%             # more removals than this hold the run until --allow-removals
      rowsDroppedOver: 50%             # warn when so many rows less come than in the last run
      sasExpiresWithin: 14d
    # From here on for the daemon, \`sluice serve\`.
    schedule:
      - { cron: "0 7 * * mon-fri", timezone: Europe/Paris }
      # - { every: 15m }
    overlap: skip                      # or queue: a scheduled run while another is under way waits
    # notify:                          # who is notified when a warning begins and ends
    #   - { webhook: "\${OPS_WEBHOOK_URL}", secret: "\${OPS_WEBHOOK_SECRET}" }
    #   - { webhook: "\${SLACK_WEBHOOK_URL}", style: slack }
    #   - { email: [data@example.com] }    # needs daemon.smtp

# daemon:
#   smtp: { host: mail.example.com, user: sluice, password: "\${SMTP_PASSWORD}", from: sluice@example.com }
`;
