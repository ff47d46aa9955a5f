/*  schema.c - the tables of rayc.db, one row kind of rows.def each, and the views in which people
    read them.

    The hot table is `task`: a row is written when the task is accepted and again when it ends, so
    it has no index but its primary key, and a partial one on failures that neither of these two
    writes touches. Numbers become names through small tables that are filled from states.def at
    every start: one source of words. Times: each X_ms (milliseconds since 1970) of a view has a
    sibling X, RFC 3339 in UTC. */
#include "head/schema.h"

#include <stdio.h>
#include "proto/proto.h"

enum { APPLICATION_ID = 0x72617963 }; /* "rayc" */

#define RFC3339(ms)                  "strftime('%Y-%m-%dT%H:%M:%fZ'," ms "/1000.0,'unixepoch')"
#define TIME(x, ms)                  RFC3339(ms) " AS " x "," ms " AS " x "_ms"
#define TASK_HEX(id)                 "printf('%016x'," id ")"
#define JOB_HEX(id)                  "printf('%08x'," id ")"
#define OBJECT_HEX(task, idx)        "printf('%016x%04x'," task "," idx ")"
#define OR_NULL(id, hex)             "iif(" id ">0," hex ",NULL)"
#define COUNTER(id)                  "(" id "&1099511627775)"
#define FIRST_TASK(session)          "(" session "<<40)"
#define LAST_TASK(session)           "(" session "<<40)+1099511627775"
#define ARRAY_INDEX                  "j.array_first+" COUNTER("coalesce(t.retry_of,t.id)") "-1"
#define NAME_ROW(table, value, rest) "REPLACE INTO " table " VALUES(" value rest ");"
#define EXIT_STATUS                                                                                \
    " CASE WHEN t.state=5 THEN 0 WHEN t.status>=0 THEN t.status END AS exit_status,"               \
    " iif(t.status<0,-t.status,NULL) AS signal"

/*  A row grows by about this when its task ends.  With the room reserved it stays on its page,
    which costs half as much as splitting pages, and leaves the file smaller. */
#define ROOM "000000000000000000000000000000000000000000000000"

/* clang-format off */
static const char tables[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE task_state_name(value INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE job_state_name(value INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE node_state_name(value INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE failure_name(value INTEGER PRIMARY KEY, name TEXT, text TEXT);"

    "CREATE TABLE job(id INTEGER PRIMARY KEY, submission TEXT UNIQUE, kind INTEGER,"
    " durability INTEGER, detached INTEGER, state INTEGER, digest BLOB, entrypoint TEXT, name TEXT,"
    " array_first INTEGER, array_last INTEGER, created_ms INTEGER, started_ms INTEGER,"
    " ended_ms INTEGER, exit_code INTEGER, stopping INTEGER, message TEXT,"
    " total INTEGER, finished INTEGER, failed INTEGER);"

    "CREATE TABLE session(id INTEGER PRIMARY KEY, job INTEGER, low INTEGER DEFAULT 0,"
    " closed INTEGER DEFAULT 0);"
    "CREATE INDEX session_job ON session(job);"

    "CREATE TABLE spec(id INTEGER PRIMARY KEY, session INTEGER, idx INTEGER, kind INTEGER,"
    " name TEXT, record BLOB);"
    "CREATE INDEX spec_session ON spec(session);"

    "CREATE TABLE task(id INTEGER PRIMARY KEY, spec INTEGER, state INTEGER, submitted_ms INTEGER,"
    " deps BLOB, args BLOB, attempt INTEGER, node INTEGER, started_ms INTEGER, ended_ms INTEGER,"
    " run_us INTEGER, failure INTEGER, status INTEGER, fence INTEGER, charged INTEGER,"
    " crashes INTEGER, due_ms INTEGER, cancelled INTEGER, retry_of INTEGER, text TEXT, log TEXT,"
    " output BLOB, result BLOB, room BLOB DEFAULT x'" ROOM "');"
    "CREATE INDEX task_failed ON task(id) WHERE failure IS NOT NULL;"

    "CREATE TABLE lease(token INTEGER PRIMARY KEY, node INTEGER, first INTEGER, count INTEGER,"
    " leased_ms INTEGER);"
    "CREATE INDEX lease_first ON lease(first);"

    "CREATE TABLE attempt(task INTEGER, attempt INTEGER, node INTEGER, started_ms INTEGER,"
    " ended_ms INTEGER, run_us INTEGER, outcome TEXT, status INTEGER, text TEXT, output BLOB,"
    " log TEXT, PRIMARY KEY(task, attempt));"

    "CREATE TABLE node(id INTEGER PRIMARY KEY, key TEXT, name TEXT, pid INTEGER, state INTEGER,"
    " capacity BLOB, joined_ms INTEGER, ended_ms INTEGER, reason TEXT);"

    "CREATE TABLE event(id INTEGER PRIMARY KEY, at_ms INTEGER, kind TEXT, job INTEGER,"
    " node INTEGER, task INTEGER, text TEXT);"

    "CREATE TRIGGER job_gone AFTER DELETE ON job BEGIN"
    " DELETE FROM spec WHERE session IN (SELECT id FROM session WHERE job=old.id);"
    " DELETE FROM session WHERE job=old.id; END;"
    "CREATE TRIGGER session_gone AFTER DELETE ON session BEGIN"
    " DELETE FROM attempt WHERE task BETWEEN " FIRST_TASK("old.id") " AND " LAST_TASK("old.id") ";"
    " END;"
    /* the newest 100000 are kept */
    "CREATE TRIGGER event_many AFTER INSERT ON event WHEN new.id%1024=0 BEGIN"
    " DELETE FROM event WHERE id<=new.id-100000; END;";

/*  Ray's error_type of a job is why its driver failed; the driver is the first task of its
    session. */
static const char job_view[] =
    "CREATE VIEW jobs AS SELECT submission AS submission_id," JOB_HEX("j.id") " AS job_id,"
    " iif(kind=1,'DRIVER','SUBMISSION') AS type, n.name AS status, entrypoint, j.name AS name,"
    " message, (SELECT f.name FROM session s JOIN spec c ON c.session=s.id AND c.kind=3"
    "  JOIN task t ON t.id=" FIRST_TASK("s.id") "+1 JOIN failure_name f ON f.value=t.failure"
    "  WHERE s.job=j.id) AS error_type,"
    TIME("created", "created_ms") "," TIME("start_time", "nullif(started_ms,0)") ","
    TIME("end_time", "nullif(ended_ms,0)") ","
    " iif(ended_ms>0,exit_code,NULL) AS driver_exit_code,"
    " coalesce(total,0) AS total, coalesce(finished,0) AS finished, coalesce(failed,0) AS failed,"
    " j.id AS job FROM job j LEFT JOIN job_state_name n ON n.value=state;";

/*  A lease covers the tasks first..first+count-1; the token of each must be newer than its fence.
    The index of a task of an array: that of the task which it repeats, if it is a retry. */
#define TASK_VIEW \
    "CREATE VIEW tasks AS SELECT " TASK_HEX("t.id") " AS task_id, c.name AS name," \
    " (SELECT name FROM task_state_name WHERE value=iif(t.state<=2 AND l.token>0,3,t.state))" \
    " AS state," \
    JOB_HEX("s.job") " AS job_id, j.submission AS submission_id," \
    " CASE c.kind WHEN 3 THEN 'DRIVER_TASK' WHEN 5 THEN 'ACTOR_CREATION_TASK'" \
    "  WHEN 6 THEN 'ACTOR_TASK' ELSE 'NORMAL_TASK' END AS type," \
    " c.name AS func_or_class_name," \
    " coalesce(t.attempt,1) AS attempt, coalesce(t.charged,0) AS retries," \
    COUNTER("t.id") " AS counter," \
    " CASE WHEN j.kind=3 AND " ARRAY_INDEX "<=j.array_last THEN " ARRAY_INDEX " END AS \"index\"," \
    " coalesce(nullif(t.node,0),l.node) AS node_id, f.name AS error_type," \
    " iif(t.state=6,coalesce(t.text,f.text),NULL) AS error_message," EXIT_STATUS "," \
    TIME("submitted", "t.submitted_ms") "," TIME("start_time", "nullif(t.started_ms,0)") "," \
    TIME("end_time", "t.ended_ms") "," TIME("due", "iif(t.state<=2,nullif(t.due_ms,0),NULL)") "," \
    " t.run_us AS run_us, t.cancelled AS cancelled," \
    OR_NULL("t.retry_of", TASK_HEX("t.retry_of")) " AS retry_of," \
    " iif(c.kind=5," TASK_HEX("t.id") "," OR_NULL("t.actor", TASK_HEX("t.actor")) ") AS actor_id," \
    " t.log AS log," \
    " t.id AS id, s.job AS job, t.state AS stored_state FROM task t" \
    " LEFT JOIN session s ON s.id=t.id>>40 LEFT JOIN job j ON j.id=s.job" \
    " LEFT JOIN spec c ON c.id=t.spec LEFT JOIN failure_name f ON f.value=t.failure" \
    " LEFT JOIN lease l ON l.token=iif(t.state>2,NULL,(SELECT token FROM lease" \
    "  WHERE first BETWEEN t.id-(SELECT max(count) FROM lease) AND t.id AND first+count>t.id" \
    "  AND token+(t.id-first)>coalesce(t.fence,0) ORDER BY +token DESC LIMIT 1))"
static const char task_view[] = TASK_VIEW ";";

/*  An attempt has a row of its own once another followed; else the task's row tells how it ended.
    The words for that are those of outcome_name() in head/core/task.c. */
static const char attempt_view[] =
    "CREATE VIEW attempts AS SELECT " TASK_HEX("a.task") " AS task_id, a.attempt AS attempt,"
    " a.node AS node_id, a.outcome AS outcome, iif(a.status>=0,a.status,NULL) AS exit_status,"
    " iif(a.status<0,-a.status,NULL) AS signal, a.text AS error_message,"
    TIME("start_time", "a.started_ms") "," TIME("end_time", "a.ended_ms") ","
    " a.run_us AS run_us, a.log AS log, a.task AS id,"
    " (SELECT job FROM session WHERE id=a.task>>40) AS job FROM attempt a"
    " UNION ALL SELECT " TASK_HEX("t.id") ", 1, t.node,"
    " CASE coalesce(t.failure,0) WHEN 0 THEN 'FINISHED' WHEN 1 THEN 'APP_ERROR' WHEN 2 THEN 'EXIT'"
    "  WHEN 3 THEN iif(t.status<0,'SIGNAL','EXIT')"
    "  ELSE (SELECT name FROM failure_name WHERE value=t.failure) END,"
    EXIT_STATUS ", t.text,"
    TIME("start_time", "nullif(t.started_ms,0)") "," TIME("end_time", "t.ended_ms") ","
    " t.run_us, t.log, t.id, (SELECT job FROM session WHERE id=t.id>>40)"
    " FROM task t WHERE t.state IN (5,6) AND t.attempt=1 AND t.node IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.task=t.id);";

static const char node_view[] =
    "CREATE VIEW nodes AS SELECT o.id AS node_id, o.name AS name, n.name AS state, pid, reason,"
    TIME("joined", "joined_ms") "," TIME("ended", "ended_ms") ", o.id AS id"
    " FROM node o LEFT JOIN node_state_name n ON n.value=o.state;";

static const char event_view[] =
    "CREATE VIEW events AS SELECT id AS event_id," TIME("time", "at_ms") ", kind,"
    OR_NULL("job", JOB_HEX("job")) " AS job_id, node AS node_id,"
    OR_NULL("task", TASK_HEX("task")) " AS task_id, text, id, job FROM event;";

/*  Studies (rayc tune), since version 2.  The large texts of a study are apart from its row, which
    changes often.  A study outlives its jobs, so nothing of it goes with them. */
static const char study_tables[] =
    "CREATE TABLE study_state_name(value INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE trial_state_name(value INTEGER PRIMARY KEY, name TEXT);"

    "CREATE TABLE study(id INTEGER PRIMARY KEY, name TEXT UNIQUE, state INTEGER, session INTEGER,"
    " decides INTEGER, maximize INTEGER, metric TEXT, seed INTEGER, trials_max INTEGER,"
    " saved INTEGER, stopping INTEGER DEFAULT 0, created_ms INTEGER, ended_ms INTEGER, text TEXT);"
    "CREATE TABLE study_file(study INTEGER PRIMARY KEY, definition BLOB, settings TEXT);"

    "CREATE TABLE trial(study INTEGER, number INTEGER, state INTEGER, pruned INTEGER,"
    " given INTEGER, tag INTEGER, run INTEGER, task INTEGER, ended INTEGER, value REAL, step REAL,"
    " created_ms INTEGER, ended_ms INTEGER, point BLOB, params TEXT, metrics TEXT,"
    " checkpoint TEXT, text TEXT, lineage TEXT, PRIMARY KEY(study, number)) WITHOUT ROWID;"
    "CREATE INDEX trial_best ON trial(study, state, value);"

    "CREATE TABLE report(id INTEGER PRIMARY KEY, study INTEGER, task INTEGER, token INTEGER,"
    " attempt INTEGER, number INTEGER, trial INTEGER, step REAL, value REAL, checkpoint TEXT,"
    " metrics TEXT, at_ms INTEGER);"
    "CREATE INDEX report_study ON report(study, id);"
    "CREATE UNIQUE INDEX report_once ON report(task, step);";

/*  The best trial: of those that ended well, pruned ones too; among equals the first. */
static const char study_view[] =
    "CREATE VIEW studies AS SELECT b.id AS study_id, b.name AS name, n.name AS state, b.metric AS metric,"
    " iif(b.maximize,'max','min') AS mode,"
    " (SELECT count(*) FROM trial WHERE study=b.id) AS trials,"
    " (SELECT count(*) FROM trial WHERE study=b.id AND state=2) AS running,"
    " (SELECT count(*) FROM trial WHERE study=b.id AND state=4) AS terminated,"
    " (SELECT count(*) FROM trial WHERE study=b.id AND state=5) AS errors, b.best AS best_value,"
    " (SELECT min(number) FROM trial WHERE study=b.id AND state=4 AND value=b.best) AS best_trial,"
    TIME("created", "b.created_ms") "," TIME("ended", "b.ended_ms") ", b.text AS text,"
    " iif(b.seed<0,printf('%u',b.seed),b.seed) AS seed, nullif(b.trials_max,0) AS trials_max,"
    " b.stopping AS stopping, b.session AS session_id, b.id AS id FROM (SELECT *, iif(maximize,"
    "  (SELECT max(value) FROM trial WHERE study=s.id AND state=4),"
    "  (SELECT min(value) FROM trial WHERE study=s.id AND state=4)) AS best FROM study s) b"
    " LEFT JOIN study_state_name n ON n.value=b.state;";

static const char trial_view[] =
    "CREATE VIEW trials AS SELECT s.name AS study, r.number AS trial, n.name AS state, r.value AS value,"
    " r.step AS step, r.params AS params, r.metrics AS metrics, r.text AS text, r.pruned AS pruned,"
    " r.given AS given, r.run AS run, r.checkpoint AS checkpoint, r.lineage AS lineage,"
    OR_NULL("r.task", TASK_HEX("r.task")) " AS task_id,"
    TIME("created", "nullif(r.created_ms,0)") "," TIME("ended", "nullif(r.ended_ms,0)") ","
    " nullif(r.ended,0) AS ended_order, r.study AS id FROM trial r"
    " LEFT JOIN study s ON s.id=r.study LEFT JOIN trial_state_name n ON n.value=r.state;";

static const char report_view[] =
    "CREATE VIEW reports AS SELECT s.name AS study, r.trial AS trial, r.step AS step, r.value AS value,"
    " r.metrics AS metrics, r.checkpoint AS checkpoint," TASK_HEX("r.task") " AS task_id,"
    " r.attempt AS attempt, r.number AS number," TIME("at", "r.at_ms") ", r.id AS report_id,"
    " r.study AS id FROM report r LEFT JOIN study s ON s.id=r.study;";

/*  Users and what belongs to them, since version 3.  What an older rayc wrote belongs to the first
    user, its administrator.  Of a secret, only the hash is here. */
static const char user_tables[] =
    "CREATE TABLE role_name(value INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE job_error_name(value INTEGER PRIMARY KEY, name TEXT, text TEXT);"
    "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT UNIQUE, role INTEGER, disabled INTEGER,"
    " jobs_max INTEGER, tasks_max INTEGER, created_ms INTEGER);"
    "CREATE TABLE token(id INTEGER PRIMARY KEY, user INTEGER, name TEXT, role INTEGER,"
    " hash BLOB UNIQUE, created_ms INTEGER, expires_ms INTEGER, revoked_ms INTEGER);"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY, at_ms INTEGER, user INTEGER, token INTEGER,"
    " action TEXT, object TEXT, code INTEGER);"
    "CREATE TABLE package(owner INTEGER, uri TEXT, hash TEXT, bytes INTEGER, put_ms INTEGER,"
    " PRIMARY KEY(owner, uri)) WITHOUT ROWID;"
    "ALTER TABLE job ADD COLUMN owner INTEGER DEFAULT 1;"
    "ALTER TABLE job ADD COLUMN metadata TEXT;"
    "ALTER TABLE job ADD COLUMN runtime_env TEXT;"
    "ALTER TABLE job ADD COLUMN after TEXT;"
    "ALTER TABLE job ADD COLUMN waits BLOB;"
    "ALTER TABLE job ADD COLUMN error INTEGER;"
    "ALTER TABLE study ADD COLUMN owner INTEGER DEFAULT 1;"
    "ALTER TABLE session ADD COLUMN high INTEGER;"
    "CREATE INDEX job_owner ON job(owner);"
    /* the newest 1000000 are kept */
    "CREATE TRIGGER audit_many AFTER INSERT ON audit WHEN new.id%1024=0 BEGIN"
    " DELETE FROM audit WHERE id<=new.id-1000000; END;";

static const char user_views[] =
    "CREATE VIEW users AS SELECT u.name AS name, r.name AS role, u.disabled AS disabled,"
    " iif(u.jobs_max<0,NULL,u.jobs_max) AS jobs_max, iif(u.tasks_max<0,NULL,u.tasks_max) AS tasks_max,"
    TIME("created", "u.created_ms") ", u.id AS id FROM user u LEFT JOIN role_name r ON r.value=u.role;"
    "CREATE VIEW tokens AS SELECT t.id AS token_id, u.name AS user, t.name AS name, r.name AS role,"
    TIME("created", "t.created_ms") "," TIME("expires", "nullif(t.expires_ms,0)") ","
    TIME("revoked", "t.revoked_ms") ", t.user AS owner, t.id AS id FROM token t"
    " LEFT JOIN user u ON u.id=t.user LEFT JOIN role_name r ON r.value=t.role;"
    "CREATE VIEW audits AS SELECT a.id AS audit_id," TIME("time", "a.at_ms") ", u.name AS user,"
    " a.token AS token_id, a.action AS action, a.object AS object, a.code AS code, a.id AS id"
    " FROM audit a LEFT JOIN user u ON u.id=a.user;";

/*  Ray's error_type is the job's own; of a job of an older rayc, why its driver failed.  The driver
    is the first task of its session. */
static const char job_view_3[] =
    "DROP VIEW jobs;"
    "CREATE VIEW jobs AS SELECT submission AS submission_id," JOB_HEX("j.id") " AS job_id,"
    " iif(kind=1,'DRIVER','SUBMISSION') AS type, n.name AS status, entrypoint, j.name AS name,"
    " u.name AS user, message, coalesce((SELECT name FROM job_error_name WHERE value=j.error),"
    "  (SELECT f.name FROM session s JOIN spec c ON c.session=s.id AND c.kind=3"
    "  JOIN task t ON t.id=" FIRST_TASK("s.id") "+1 JOIN failure_name f ON f.value=t.failure"
    "  WHERE s.job=j.id)) AS error_type,"
    TIME("created", "j.created_ms") "," TIME("start_time", "nullif(started_ms,0)") ","
    TIME("end_time", "nullif(ended_ms,0)") ","
    " iif(ended_ms>0,exit_code,NULL) AS driver_exit_code, metadata, runtime_env, j.after AS after,"
    " coalesce(total,0) AS total, coalesce(finished,0) AS finished, coalesce(failed,0) AS failed,"
    " j.owner AS owner, j.id AS job FROM job j LEFT JOIN job_state_name n ON n.value=state"
    " LEFT JOIN user u ON u.id=j.owner;";

/*  What specs name of the content store, since version 4.  A hash in a SPEC record is a string of 64 bytes (d9 40). */
static const char file_tables[] =
    "CREATE TABLE spec_file(spec INTEGER, hash TEXT, PRIMARY KEY(spec, hash)) WITHOUT ROWID;"
    "CREATE INDEX spec_file_hash ON spec_file(hash);"
    "CREATE INDEX package_hash ON package(hash);"
    "CREATE TRIGGER spec_gone AFTER DELETE ON spec BEGIN"
    " DELETE FROM spec_file WHERE spec=old.id; END;"
    "WITH RECURSIVE part(spec, rest) AS (SELECT id, record FROM spec UNION ALL"
    " SELECT spec, substr(rest, instr(rest, x'd940')+2) FROM part WHERE instr(rest, x'd940')>0)"
    "INSERT OR IGNORE INTO spec_file SELECT spec, CAST(substr(rest,1,64) AS TEXT) FROM part"
    " WHERE CAST(substr(rest,1,64) AS TEXT) NOT GLOB '*[^0-9a-f]*' AND length(rest)>=64;";

/*  Drained: nothing is leased to it any more. */
static const char drain_columns[] =
    "ALTER TABLE node ADD COLUMN draining INTEGER DEFAULT 0;"
    "ALTER TABLE node ADD COLUMN drain_ms INTEGER;"
    "ALTER TABLE node ADD COLUMN drain_until_ms INTEGER;"
    "DROP VIEW nodes;"
    "CREATE VIEW nodes AS SELECT o.id AS node_id, o.name AS name, n.name AS state,"
    " CASE WHEN o.state=3 OR o.draining=0 THEN NULL"
    "  WHEN EXISTS (SELECT 1 FROM lease WHERE node=o.id) THEN 'DRAINING' ELSE 'DRAINED' END AS drain,"
    " pid, reason," TIME("joined", "joined_ms") "," TIME("ended", "ended_ms") ","
    TIME("drain_until", "iif(o.state=3,NULL,drain_until_ms)") ", o.id AS id"
    " FROM node o LEFT JOIN node_state_name n ON n.value=o.state;";

/*  Where other nodes get objects. */
static const char node_view_7[] =
    "ALTER TABLE node ADD COLUMN objects TEXT;"
    "DROP VIEW nodes;"
    "CREATE VIEW nodes AS SELECT o.id AS node_id, o.name AS name, n.name AS state,"
    " CASE WHEN o.state=3 OR o.draining=0 THEN NULL"
    "  WHEN EXISTS (SELECT 1 FROM lease WHERE node=o.id) THEN 'DRAINING' ELSE 'DRAINED' END AS drain,"
    " pid, reason," TIME("joined", "joined_ms") "," TIME("ended", "ended_ms") ","
    TIME("drain_until", "iif(o.state=3,NULL,drain_until_ms)") ","
    " nullif(substr(objects,1,instr(objects||' ',' ')-1),'') AS objects, o.id AS id"
    " FROM node o LEFT JOIN node_state_name n ON n.value=o.state;";

/*  What was put (kind 4) is no task. */
static const char task_view_6[] = "DROP VIEW tasks;" TASK_VIEW " WHERE c.kind IS NOT 4;";
/*  Labels of nodes. */
static const char label_column[] = "ALTER TABLE node ADD COLUMN labels TEXT;";

/*  Actors, since version 10.  A name is in a row before its actor is made, and unique among those that are not dead. */
static const char actor_tables[] =
    "CREATE TABLE actor_cause_name(value INTEGER PRIMARY KEY, name TEXT, text TEXT);"
    "CREATE TABLE actor(id INTEGER PRIMARY KEY, owner INTEGER, space TEXT, name TEXT,"
    " detached INTEGER DEFAULT 0, made INTEGER DEFAULT 0, alive INTEGER DEFAULT 0, alive_ms INTEGER,"
    " killed INTEGER DEFAULT 0, cause INTEGER DEFAULT 0, text TEXT, ended_ms INTEGER,"
    " checkpoint BLOB, checkpoint_task INTEGER, checkpoint_ms INTEGER);"
    "CREATE UNIQUE INDEX actor_name ON actor(owner, space, name)"
    " WHERE name IS NOT NULL AND cause=0;"
    "CREATE INDEX actor_living ON actor(id) WHERE cause=0;"
    "ALTER TABLE task ADD COLUMN actor INTEGER;"
    "CREATE TRIGGER session_actors_gone AFTER DELETE ON session BEGIN"
    " DELETE FROM actor WHERE id BETWEEN " FIRST_TASK("old.id") " AND " LAST_TASK("old.id") ";"
    " END;";

/*  Its state is that of its task, and whether the constructor of the current incarnation has
    returned. */
static const char actor_view[] =
    "CREATE VIEW actors AS SELECT v.task_id AS actor_id, v.name AS class_name,"
    " CASE WHEN a.cause>0 THEN 'DEAD' WHEN v.stored_state>4 THEN 'DEAD'"
    "  WHEN v.state='PENDING_ARGS_AVAIL' THEN 'DEPENDENCIES_UNREADY'"
    "  WHEN v.stored_state=4 AND a.alive=v.attempt THEN 'ALIVE'"
    "  WHEN v.attempt>1 THEN 'RESTARTING' ELSE 'PENDING_CREATION' END AS state,"
    " v.job_id AS job_id, v.submission_id AS submission_id, a.name AS name,"
    " a.space AS ray_namespace, v.node_id AS node_id, v.attempt-1 AS num_restarts,"
    " v.retries AS charged_restarts, a.detached AS is_detached,"
    " (SELECT name FROM actor_cause_name WHERE value=a.cause) AS death_cause, a.text AS text,"
    " v.submitted AS created, v.submitted_ms AS created_ms,"
    TIME("start_time", "a.alive_ms") "," TIME("end_time", "a.ended_ms") ","
    TIME("checkpoint", "a.checkpoint_ms") ", length(a.checkpoint) AS checkpoint_bytes,"
    " a.owner AS owner, v.job AS job, a.id AS id"
    " FROM actor a JOIN tasks v ON v.id=a.id WHERE a.made=1;";
/*  Objects: what is released stays until its task goes. */
static const char object_tables[] =
    "CREATE TABLE object_state_name(value INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE object_reason_name(value INTEGER PRIMARY KEY, name TEXT, text TEXT);"
    "CREATE TABLE object(task INTEGER, idx INTEGER, state INTEGER, reason INTEGER, owned INTEGER,"
    " size INTEGER, node INTEGER, copies INTEGER, inside BLOB, made_ms INTEGER,"
    " PRIMARY KEY(task, idx)) WITHOUT ROWID;"
    "CREATE INDEX object_live ON object(task, idx) WHERE state<6;"
    "CREATE TABLE hold(session INTEGER, task INTEGER, idx INTEGER, PRIMARY KEY(session, task, idx))"
    " WITHOUT ROWID;"
    "CREATE INDEX hold_object ON hold(task, idx);"
    "ALTER TABLE session ADD COLUMN refs INTEGER;";

/*  What a task returned or put, whose bytes stores have, or that has references inside; of the state 6 (FREED) it is a
    memory only.  One with the index 2^32-1 is no object: it says what arguments have inside. */
static const char object_view[] =
    "ALTER TABLE object ADD COLUMN spilled INTEGER DEFAULT 0;"
    "CREATE VIEW objects AS SELECT " OBJECT_HEX("o.task", "o.idx") " AS object_id,"
    TASK_HEX("o.task") " AS task_id, o.idx AS \"index\", iif(c.kind=4,'PUT','RETURN') AS type,"
    " coalesce(c.name,'rayc_put') AS name, n.name AS state,"
    " (SELECT name FROM object_reason_name WHERE value=o.reason) AS reason,"
    " iif(o.size>0,o.size,length(t.result)) AS object_size,"
    " (SELECT name FROM task_state_name WHERE value=t.state) AS task_status,"
    " coalesce(t.attempt,1) AS attempt_number, o.owned AS owned,"
    " (SELECT count(*) FROM hold WHERE task=o.task AND idx=o.idx) AS borrowers,"
    " o.node AS node_id, (SELECT name FROM node WHERE id=o.node) AS node_name, o.copies AS copies, o.spilled AS spilled,"
    JOB_HEX("s.job") " AS job_id, (SELECT submission FROM job WHERE id=s.job) AS submission_id,"
    TIME("created", "o.made_ms") ", o.state AS stored_state, s.job AS job, o.task AS id"
    " FROM object o LEFT JOIN object_state_name n ON n.value=o.state"
    " LEFT JOIN task t ON t.id=o.task LEFT JOIN spec c ON c.id=t.spec"
    " LEFT JOIN session s ON s.id=o.task>>40 WHERE o.idx<4294967295;";

/*  How full the stores of nodes are. */
static const char node_view_13[] =
    "ALTER TABLE node ADD COLUMN store_bytes INTEGER;"
    "ALTER TABLE node ADD COLUMN store_used INTEGER;"
    "ALTER TABLE node ADD COLUMN store_spilled INTEGER;"
    "DROP VIEW nodes;"
    "CREATE VIEW nodes AS SELECT o.id AS node_id, o.name AS name, n.name AS state,"
    " CASE WHEN o.state=3 OR o.draining=0 THEN NULL"
    "  WHEN EXISTS (SELECT 1 FROM lease WHERE node=o.id) THEN 'DRAINING' ELSE 'DRAINED' END AS drain,"
    " pid, reason," TIME("joined", "joined_ms") "," TIME("ended", "ended_ms") ","
    TIME("drain_until", "iif(o.state=3,NULL,drain_until_ms)") ","
    " nullif(substr(objects,1,instr(objects||' ',' ')-1),'') AS objects,"
    " store_bytes AS object_store_memory, iif(o.state=3,NULL,coalesce(store_used,0)) AS object_store_used,"
    " iif(o.state=3,NULL,coalesce(store_spilled,0)) AS object_store_spilled, o.id AS id"
    " FROM node o LEFT JOIN node_state_name n ON n.value=o.state;";

/*  How many bytes of objects users have, and may have, in stores. */
#define USER_VIEW(living) \
    "DROP VIEW users;" \
    "CREATE VIEW users AS SELECT u.name AS name, r.name AS role, u.disabled AS disabled," \
    " iif(u.jobs_max<0,NULL,u.jobs_max) AS jobs_max, iif(u.tasks_max<0,NULL,u.tasks_max) AS tasks_max," \
    " iif(u.object_bytes_max<0,NULL,u.object_bytes_max) AS object_bytes_max," \
    " (SELECT coalesce(sum(o.size),0) FROM job j JOIN session s ON s.job=j.id" \
    "  JOIN object o ON o.task BETWEEN " FIRST_TASK("s.id") " AND " LAST_TASK("s.id") \
    "  AND " living "o.state IN (3,4) WHERE j.owner=u.id) AS object_bytes," \
    TIME("created", "u.created_ms") ", u.id AS id FROM user u LEFT JOIN role_name r ON r.value=u.role;"
static const char user_objects[] = "ALTER TABLE user ADD COLUMN object_bytes_max INTEGER DEFAULT -1;"
    USER_VIEW("");
static const char user_view_19[] = USER_VIEW("o.state<6 AND "); /* that an index has */

/*  The words of states.def. */
static const char names[] =
#define TASK_STATE(NAME, value, text) NAME_ROW("task_state_name", #value, ",'" text "'")
#define JOB_STATE(NAME, value) NAME_ROW("job_state_name", #value, ",'" #NAME "'")
#define NODE_STATE(NAME, value) NAME_ROW("node_state_name", #value, ",'" #NAME "'")
#define STUDY_STATE(NAME, value) NAME_ROW("study_state_name", #value, ",'" #NAME "'")
#define TRIAL_STATE(NAME, value) NAME_ROW("trial_state_name", #value, ",'" #NAME "'")
#include "proto/states.def"
#undef TASK_STATE
#undef JOB_STATE
#undef NODE_STATE
#undef STUDY_STATE
#undef TRIAL_STATE
    ;
static const char more_names[] = /* a compiler need not take longer texts */
#define OBJECT_STATE(NAME, value) NAME_ROW("object_state_name", #value, ",'" #NAME "'")
#define ROLE(NAME, value, text) NAME_ROW("role_name", #value, ",'" #NAME "'")
#define ACTOR_CAUSE(NAME, value, text) \
    NAME_ROW("actor_cause_name", #value, ",'" #NAME "','" text "'")
#define JOB_ERROR(NAME, value, text) NAME_ROW("job_error_name", #value, ",'" #NAME "','" text "'")
#include "proto/states.def"
#undef OBJECT_STATE
#undef ROLE
#undef ACTOR_CAUSE
#undef JOB_ERROR
    ;
static const char failure_names[] = /* apart: a string has 4095 bytes at most */
#define OBJECT_REASON(NAME, value, text) \
    NAME_ROW("object_reason_name", #value, ",'" #NAME "','" text "'")
#define FAILURE(NAME, value, code, type, text) \
    NAME_ROW("failure_name", #value, ",'" type "','" text "'")
#include "proto/states.def"
#undef FAILURE
#undef OBJECT_REASON
    ;
/* clang-format on */

static const char rebuild_column[] = "ALTER TABLE object ADD COLUMN rebuilds INTEGER;"
                                     "ALTER TABLE object ADD COLUMN fence INTEGER;";

/*  References inside of an actor's checkpoint. */
static const char inside_column[] = "ALTER TABLE actor ADD COLUMN inside BLOB;";

static const char holder_column[] = "ALTER TABLE hold ADD COLUMN holder INTEGER;";

static const char root_column[] = "ALTER TABLE session ADD COLUMN root INTEGER DEFAULT 0;";

/*  Tasks that tasks have submitted, and the sessions of executors. */
static const char nested_columns[] = "ALTER TABLE task ADD COLUMN parent INTEGER;"
                                     "ALTER TABLE task ADD COLUMN parent_fence INTEGER;"
                                     "ALTER TABLE session ADD COLUMN nested INTEGER;";

/*  What each version of the schema added, from version 1 on.  Never change a step that was
    released: add one. */
static const char *const steps[][8] = {
    /* stored_state of the view tasks came with version 3, actor_id with version 10 */
    { tables, job_view, task_view, attempt_view, node_view, event_view },
    { study_tables, study_view, trial_view, report_view },
    { user_tables, user_views, job_view_3, "DROP VIEW tasks;", task_view },
    { file_tables },
    { drain_columns },
    { task_view_6 },
    { node_view_7 },
    { nested_columns },
    { label_column },
    { actor_tables, actor_view },
    { object_tables },
    { object_view },
    { node_view_13 },
    { rebuild_column },
    { root_column },
    { inside_column },
    { user_objects },
    { holder_column },
    { user_view_19 },
};

const char *schema_advice(sqlite3 *db)
{
    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_BUSY:
        return ": another program has it open, and is to end first";
    case SQLITE_FULL:
        return ": make room on its disk";
    default:
        return "";
    }
}

static int schema_run(sqlite3 *db, const char *sql, struct diag *why)
{
    char *text = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK) {
        snprintf(why->text, sizeof(why->text), "the database cannot be used: %s%s", text,
                 schema_advice(db));
        sqlite3_free(text);
        return ERR_STORE;
    }
    return OK;
}

static int schema_number(sqlite3 *db, const char *sql, int64_t *out, struct diag *why)
{
    sqlite3_stmt *query = NULL;
    bool read = sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
                sqlite3_step(query) == SQLITE_ROW;
    if (read) {
        *out = sqlite3_column_int64(query, 0);
    } else {
        snprintf(why->text, sizeof(why->text), "the database cannot be read: %s",
                 sqlite3_errmsg(db));
    }
    sqlite3_finalize(query);
    return read ? OK : ERR_STORE;
}

/*  Refuses a file that is not ours to change; *version is 0 for an empty one. */
static int schema_version(sqlite3 *db, int64_t *version, struct diag *why)
{
    int64_t application = 0;
    int64_t objects = 0;
    if (schema_number(db, "SELECT count(*) FROM sqlite_schema", &objects, why) != OK ||
        schema_number(db, "PRAGMA application_id", &application, why) != OK ||
        schema_number(db, "PRAGMA user_version", version, why) != OK) {
        return ERR_STORE;
    }
    if (application != APPLICATION_ID && (objects > 0 || application != 0)) {
        snprintf(why->text, sizeof(why->text), "the file is a database of another program");
        return ERR_STORE;
    }
    if (*version > (int64_t)COUNT(steps)) {
        snprintf(
            why->text, sizeof(why->text),
            "the database has schema %lld, this rayc knows up to %zu: use the newer rayc that has "
            "written it, or another state folder",
            (long long)*version, COUNT(steps));
        return ERR_STORE_NEWER;
    }
    return OK;
}

static int schema_raise(sqlite3 *db, size_t version, struct diag *why)
{
    int rc = OK;
    for (size_t i = version; rc == OK && i < COUNT(steps); i++) {
        for (size_t k = 0; rc == OK && k < COUNT(steps[i]) && steps[i][k] != NULL; k++) {
            rc = schema_run(db, steps[i][k], why);
        }
    }
    if (rc == OK && version < COUNT(steps)) {
        char text[96];
        snprintf(text, sizeof(text), "PRAGMA application_id=%d;PRAGMA user_version=%zu;",
                 APPLICATION_ID, COUNT(steps));
        rc = schema_run(db, text, why);
    }
    rc = rc == OK ? schema_run(db, names, why) : rc;
    rc = rc == OK ? schema_run(db, more_names, why) : rc;
    return rc == OK ? schema_run(db, failure_names, why) : rc;
}

int schema_open(sqlite3 *db, struct diag *why)
{
    int64_t version = 0;
    int rc = schema_version(db, &version, why);
    if (rc != OK) {
        return rc;
    }
    rc = schema_run(db, "BEGIN IMMEDIATE", why);
    if (rc != OK) {
        return rc;
    }
    rc = schema_raise(db, (size_t)version, why);
    if (rc == OK) {
        return schema_run(db, "COMMIT", why);
    }
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
