-- The signals' books begin anew: they hold what was raised beside what became of it, and starts apart from ends.
DELETE FROM ledger;
