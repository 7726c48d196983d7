// Package seals has the SQL of the sealed log: the columns of sealed events, the deployment's events, the
// log's row, its segments and its sealings. It opens no database and begins no transaction.
package seals
