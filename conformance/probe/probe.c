/*
 * The conformance probe: one static program that runs as container process or as hook and tells, as one
 * line of JSON, what it sees. It judges nothing: the tests decide in Python.
 *
 *     probe [-o FILE] [VERB[=TARGET]]...
 *
 * Without -o the line goes to standard output, with it it is appended to FILE, so that several probes that
 * share a file leave a timeline. Verbs are tried from left to right and listed under "attempts":
 *
 *     stat lstat list read write create mkdir readlink run call    attempts, with the errno they met
 *     spend=MS      take that many milliseconds, as a slow program does
 *     stdin         read standard input (a hook's state) and look at the process whose "pid" it holds
 *     hold=TYPES    unshare the comma-separated namespaces; report only the pid of a child that holds them
 *     block         after the report wait for a signal, report its number, exit 0
 *     exit=N        exit with status N;  exit=euid: 100 if the effective user is root, else 101
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES 8

static const char *const namespace_names[NAMESPACES] = {"cgroup", "ipc", "mnt",  "net",
							"pid",	  "time", "user", "uts"};
static const int namespace_flags[NAMESPACES] = {CLONE_NEWCGROUP, CLONE_NEWIPC,	CLONE_NEWNS,   CLONE_NEWNET,
						CLONE_NEWPID,	 0x80 /* TIME */, CLONE_NEWUSER, CLONE_NEWUTS};

/* Harmless system calls to write filters for: no runtime makes them once its filter is in place. */
static const struct {
	const char *name;
	long number;
} calls[] = {{"times", SYS_times}, {"getuid", SYS_getuid}, {"umask", SYS_umask}};

static FILE *out;

static void put_string(const char *bytes, size_t length)
{
	fputc('"', out);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)bytes[i];
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\u%04x", c); /* latin-1: every byte survives */
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void put_key(const char *key)
{
	fprintf(out, ",\"%s\":", key);
}

static void put_text(const char *key, const char *text)
{
	put_key(key);
	if (text)
		put_string(text, strlen(text));
	else
		fputs("null", out);
}

static void put_number(const char *key, long long number)
{
	fprintf(out, ",\"%s\":%lld", key, number);
}

static void put_list(const char *key, char **words)
{
	put_key(key);
	fputc('[', out);
	for (int i = 0; words[i]; i++) {
		if (i)
			fputc(',', out);
		put_string(words[i], strlen(words[i]));
	}
	fputc(']', out);
}

static char *read_stream(int fd, size_t *length)
{
	size_t room = 0;
	char *bytes = NULL;
	ssize_t got = 0;
	*length = 0;
	do {
		*length += (size_t)got;
		if (room - *length < 4096)
			bytes = realloc(bytes, room += 65536);
		got = read(fd, bytes + *length, 4096);
	} while (got > 0);
	if (got == 0) {
		bytes[*length] = 0;
		return bytes;
	}
	free(bytes);
	return NULL;
}

static void put_file(const char *key, const char *path)
{
	size_t length = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = fd < 0 ? NULL : read_stream(fd, &length);
	put_text(key, bytes);
	free(bytes);
	if (fd >= 0)
		close(fd);
}

static void put_link(const char *key, const char *path)
{
	char target[4096];
	ssize_t length = readlink(path, target, sizeof target - 1);
	target[length < 0 ? 0 : length] = 0;
	put_text(key, length < 0 ? NULL : target);
}

static void put_namespaces(const char *key, const char *pid)
{
	char path[64];
	put_key(key);
	fputs("{\"of\":0", out);
	for (int i = 0; i < NAMESPACES; i++) {
		snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, namespace_names[i]);
		put_link(namespace_names[i], path);
	}
	fputc('}', out);
}

static void put_rlimits(void)
{
	put_key("rlimits");
	fputc('[', out);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit = {0, 0};
		if (getrlimit(i, &limit))
			fprintf(out, "%snull", i ? "," : "");
		else
			fprintf(out, "%s[%llu,%llu]", i ? "," : "", (unsigned long long)limit.rlim_cur,
				(unsigned long long)limit.rlim_max);
	}
	fputc(']', out);
}

static void put_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	char path[300];
	put_key("fds");
	fputs("{\"of\":0", out);
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory) ||
		    (out != stdout && atoi(entry->d_name) == fileno(out)))
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		put_link(entry->d_name, path);
	}
	fputc('}', out);
	if (directory)
		closedir(directory);
}

static void put_system(void)
{
	struct utsname names;
	int policy = -1;
	uname(&names);
	put_text("hostname", names.nodename);
	put_text("domainname", names.domainname);
	put_text("machine", names.machine);
	put_number("personality", personality(0xffffffff));
	put_number("mempolicy", syscall(SYS_get_mempolicy, &policy, NULL, 0, NULL, 0) ? -errno : policy);
	put_number("scheduler", sched_getscheduler(0));
	put_number("nice", getpriority(PRIO_PROCESS, 0));
	put_number("ioprio", syscall(SYS_ioprio_get, 1, 0));
	put_number("ttys", isatty(0) + isatty(1) + isatty(2));
}

static void put_process(char **argv)
{
	char directory[4096];
	put_number("pid", getpid());
	put_list("argv", argv);
	put_list("env", environ);
	put_text("cwd", getcwd(directory, sizeof directory));
	put_link("root", "/proc/self/root");
	put_file("status", "/proc/self/status");
	put_file("mountinfo", "/proc/self/mountinfo");
	put_file("cgroup", "/proc/self/cgroup");
	put_file("oom_score_adj", "/proc/self/oom_score_adj");
	put_file("uid_map", "/proc/self/uid_map");
	put_file("gid_map", "/proc/self/gid_map");
	put_file("timens_offsets", "/proc/self/timens_offsets");
	put_namespaces("namespaces", "self");
	put_rlimits();
	put_fds();
}

static void put_state_of_stdin(void)
{
	size_t length = 0;
	char pid[24], path[64];
	char *state = read_stream(0, &length);
	char *found = state ? strstr(state, "\"pid\"") : NULL;
	put_text("stdin", state);
	if (!found)
		return;
	snprintf(pid, sizeof pid, "%ld", strtol(found + 5 + strspn(found + 5, " :\t\n"), NULL, 10));
	put_namespaces("state_pid_namespaces", pid);
	snprintf(path, sizeof path, "/proc/%s/mountinfo", pid);
	put_file("state_pid_mountinfo", path);
}

static int put_stat(const char *path, int flags)
{
	struct stat seen;
	if (fstatat(AT_FDCWD, path, &seen, flags))
		return -1;
	put_number("mode", seen.st_mode);
	put_number("uid", seen.st_uid);
	put_number("gid", seen.st_gid);
	put_number("major", major(seen.st_rdev));
	put_number("minor", minor(seen.st_rdev));
	put_number("size", seen.st_size);
	return 0;
}

static int put_names_in(const char *path)
{
	DIR *directory = opendir(path);
	const char *comma = "";
	if (!directory)
		return -1;
	put_key("names");
	fputc('[', out);
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		fputs(comma, out);
		put_string(entry->d_name, strlen(entry->d_name));
		comma = ",";
	}
	fputc(']', out);
	return closedir(directory);
}

static int put_start_of(const char *path)
{
	char bytes[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	if (got < 0)
		return -1;
	put_key("data");
	put_string(bytes, (size_t)got);
	return 0;
}

static int open_and_write(const char *path, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | flags, 0644);
	ssize_t wrote = fd < 0 ? -1 : write(fd, "x", 1);
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return wrote < 0 ? -1 : 0;
}

/* Runs `path exit=euid`. A failing execve hands its errno back through the memory that vfork shares. */
static int run_program(const char *path)
{
	char *const arguments[] = {(char *)path, "exit=euid", NULL};
	volatile int error = 0;
	int status = 0;
	pid_t child = vfork();
	if (child == 0) {
		execve(path, arguments, environ);
		error = errno;
		_exit(127);
	}
	waitpid(child, &status, 0);
	put_number("status", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	errno = error;
	return error ? -1 : 0;
}

static int call_by_name(const char *target)
{
	unsigned long long argument = strchr(target, ':') ? strtoull(strchr(target, ':') + 1, NULL, 0) : 0;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		size_t length = strlen(calls[i].name);
		if (strncmp(target, calls[i].name, length) || (target[length] && target[length] != ':'))
			continue;
		long result = syscall(calls[i].number, argument);
		put_number("result", result);
		return result < 0 ? -1 : 0;
	}
	errno = EINVAL;
	return -1;
}

static int attempt(const char *verb, const char *target)
{
	char buffer[4096];
	if (!strcmp(verb, "stat"))
		return put_stat(target, 0);
	if (!strcmp(verb, "lstat"))
		return put_stat(target, AT_SYMLINK_NOFOLLOW);
	if (!strcmp(verb, "list"))
		return put_names_in(target);
	if (!strcmp(verb, "read"))
		return put_start_of(target);
	if (!strcmp(verb, "write"))
		return open_and_write(target, O_APPEND);
	if (!strcmp(verb, "create"))
		return open_and_write(target, O_CREAT | O_EXCL);
	if (!strcmp(verb, "mkdir"))
		return mkdir(target, 0755);
	if (!strcmp(verb, "run"))
		return run_program(target);
	if (!strcmp(verb, "call"))
		return call_by_name(target);
	if (!strcmp(verb, "spend"))
		return usleep((useconds_t)(1000 * atoi(target)));
	if (!strcmp(verb, "readlink")) {
		put_link("link", target);
		return readlink(target, buffer, sizeof buffer) < 0 ? -1 : 0;
	}
	errno = EINVAL;
	return -1;
}

static void put_attempts(char **argv)
{
	const char *comma = "";
	put_key("attempts");
	fputc('[', out);
	for (; *argv; argv++) {
		char *target = strchr(*argv, '=');
		if (!target || !strncmp(*argv, "exit=", 5) || !strncmp(*argv, "hold=", 5))
			continue;
		char *verb = strndup(*argv, (size_t)(target++ - *argv));
		fprintf(out, "%s{\"verb\":\"%s\"", comma, verb);
		put_text("target", target);
		errno = 0;
		attempt(verb, target);
		put_number("errno", errno);
		fputc('}', out);
		free(verb);
		comma = ",";
	}
	fputc(']', out);
}

static int has_verb(char **argv, const char *verb)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, verb))
			return 1;
	return 0;
}

static const char *value_of(char **argv, const char *prefix)
{
	for (; *argv; argv++)
		if (!strncmp(*argv, prefix, strlen(prefix)))
			return *argv + strlen(prefix);
	return NULL;
}

static void report(char **argv)
{
	fputs("{\"probe\":1", out);
	put_process(argv);
	put_system();
	if (has_verb(argv, "stdin"))
		put_state_of_stdin();
	put_attempts(argv + 1);
	fputs("}\n", out);
	fflush(out);
}

static void hold_namespaces(const char *types)
{
	int flags = 0;
	for (int i = 0; i < NAMESPACES; i++)
		if (strstr(types, namespace_names[i]))
			flags |= namespace_flags[i];
	if (unshare(flags)) {
		fprintf(out, "{\"error\":%d}\n", errno);
		exit(1);
	}
	pid_t child = fork(); /* new pid and time namespaces begin with the next child */
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	fprintf(out, "{\"child\":%d}\n", child);
	fflush(out);
	waitpid(child, NULL, 0);
	exit(0);
}

static void wait_for_signal(const sigset_t *all)
{
	siginfo_t signal_info;
	int number = sigwaitinfo(all, &signal_info);
	fprintf(out, "{\"signal\":%d}\n", number);
	fflush(out);
}

int main(int argc, char **argv)
{
	sigset_t all;
	const char *status = value_of(argv, "exit=");
	const char *types = value_of(argv, "hold=");
	static char large[1 << 16];

	if (status && !strcmp(status, "euid"))
		return geteuid() ? 101 : 100;
	out = argc > 2 && !strcmp(argv[1], "-o") ? fopen(argv[2], "ae") : stdout;
	if (!out)
		return 99;
	setvbuf(out, large, _IOFBF, sizeof large);
	if (types)
		hold_namespaces(types);
	sigfillset(&all);
	if (has_verb(argv, "block"))
		sigprocmask(SIG_BLOCK, &all, NULL);
	report(argv);
	if (has_verb(argv, "block"))
		wait_for_signal(&all);
	return status ? atoi(status) : 0;
}
