//! Lists of system calls, each with what it is for; a policy is a choice of these.
//!
//! Found by running every test under a filter that logs, and by reading what the C library does on
//! both architectures. A call that is in no list here is used by no program of the node.

use super::{Call, Rule};
use Call::{Any, If};
use Rule::{Is, Me, Null, With, Without};

/// Memory, none of which can become code. Shared only with files, and none that grows like a stack:
/// the limit counts neither memory that is shared with nobody nor such stacks.
pub(super) const MEMORY: &[Call] = &[
    Any(libc::SYS_brk),
    Any(libc::SYS_madvise),
    If(libc::SYS_mmap, &[NO_CODE, Without(3, (libc::MAP_SHARED | libc::MAP_GROWSDOWN) as u32)]),
    If(libc::SYS_mmap, &[NO_CODE, Without(3, (libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN) as u32)]),
    If(libc::SYS_mprotect, &[NO_CODE]),
    Any(libc::SYS_mremap),
    Any(libc::SYS_munmap),
];

/// New threads of the same process.
pub(super) const THREADS: &[Call] = &[
    // Only what starts a thread; the flags of a new namespace are refused even there.
    If(libc::SYS_clone, &[With(0, THREAD), Without(0, NAMESPACES)]),
    // Answers ENOSYS by a filter of its own, see `build`: its flags lie in memory, where no filter
    // can read them, and the C library then falls back to `clone`.
    Any(libc::SYS_clone3),
];

/// Waiting for each other, signals to itself, and the end.
pub(super) const WAITING: &[Call] = &[
    Any(libc::SYS_exit),
    Any(libc::SYS_exit_group),
    Any(libc::SYS_futex),
    Any(libc::SYS_get_robust_list),
    Any(libc::SYS_rseq),
    Any(libc::SYS_sched_getaffinity),
    Any(libc::SYS_sched_yield),
    Any(libc::SYS_set_robust_list),
    Any(libc::SYS_set_tid_address),
    Any(libc::SYS_restart_syscall),
    Any(libc::SYS_rt_sigaction),
    Any(libc::SYS_rt_sigprocmask),
    Any(libc::SYS_rt_sigreturn),
    Any(libc::SYS_sigaltstack),
    // An abort signals its own thread.
    If(libc::SYS_tgkill, &[Me(0)]),
];

/// Clocks and waiting.
pub(super) const TIME: &[Call] = &[
    Any(libc::SYS_clock_getres),
    Any(libc::SYS_clock_gettime),
    Any(libc::SYS_clock_nanosleep),
    Any(libc::SYS_gettimeofday),
    Any(libc::SYS_nanosleep),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_time),
];

/// Questions about itself, and random bytes.
pub(super) const SELF: &[Call] = &[
    Any(libc::SYS_getegid),
    Any(libc::SYS_geteuid),
    Any(libc::SYS_getgid),
    Any(libc::SYS_getpid),
    Any(libc::SYS_getrandom),
    Any(libc::SYS_gettid),
    Any(libc::SYS_getuid),
    // Its limits can be asked for, not changed.
    If(libc::SYS_prlimit64, &[Is(0, 0), Null(2)]),
    // Names of threads and of memory areas.
    If(libc::SYS_prctl, &[Is(0, libc::PR_SET_NAME as u32)]),
    If(libc::SYS_prctl, &[Is(0, 0x5356_4d41)]),
    Any(libc::SYS_sysinfo),
    Any(libc::SYS_uname),
];

/// Descriptors that it has.
pub(super) const DESCRIPTORS: &[Call] = &[
    Any(libc::SYS_close),
    If(libc::SYS_fcntl, &[Is(1, libc::F_DUPFD_CLOEXEC as u32)]),
    If(libc::SYS_fcntl, &[Is(1, libc::F_GETFD as u32)]),
    If(libc::SYS_fcntl, &[Is(1, libc::F_GETFL as u32)]),
    If(libc::SYS_fcntl, &[Is(1, libc::F_SETFD as u32)]),
    If(libc::SYS_fcntl, &[Is(1, libc::F_SETFL as u32)]),
    If(libc::SYS_ioctl, &[Is(1, libc::FIONBIO as u32)]),
    Any(libc::SYS_epoll_ctl),
    Any(libc::SYS_epoll_pwait),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_epoll_wait),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_poll),
    Any(libc::SYS_ppoll),
    Any(libc::SYS_read),
    Any(libc::SYS_readv),
    Any(libc::SYS_write),
    Any(libc::SYS_writev),
];

/// Talk over connected sockets that somebody else has made.
pub(super) const CONVERSATION: &[Call] = &[
    Any(libc::SYS_getpeername),
    Any(libc::SYS_getsockname),
    Any(libc::SYS_getsockopt),
    Any(libc::SYS_recvfrom),
    Any(libc::SYS_recvmsg),
    Any(libc::SYS_sendmsg),
    Any(libc::SYS_sendto),
    Any(libc::SYS_setsockopt),
    Any(libc::SYS_shutdown),
];

/// Files, of which Landlock shows only its own.
pub(super) const OWN_FILES: &[Call] = &[
    Any(libc::SYS_faccessat),
    Any(libc::SYS_fallocate),
    If(libc::SYS_fcntl, &[Is(1, libc::F_GETLK as u32)]),
    If(libc::SYS_fcntl, &[Is(1, libc::F_SETLK as u32)]),
    If(libc::SYS_fcntl, &[Is(1, libc::F_SETLKW as u32)]),
    Any(libc::SYS_fdatasync),
    Any(libc::SYS_fstat),
    Any(libc::SYS_fstatfs),
    Any(libc::SYS_fsync),
    Any(libc::SYS_ftruncate),
    Any(libc::SYS_getcwd),
    Any(libc::SYS_getdents64),
    Any(libc::SYS_lseek),
    Any(libc::SYS_mkdirat),
    Any(libc::SYS_msync),
    Any(libc::SYS_newfstatat),
    Any(libc::SYS_openat),
    Any(libc::SYS_pread64),
    Any(libc::SYS_preadv),
    Any(libc::SYS_pwrite64),
    Any(libc::SYS_pwritev),
    Any(libc::SYS_readlinkat),
    Any(libc::SYS_renameat),
    Any(libc::SYS_renameat2),
    Any(libc::SYS_statx),
    Any(libc::SYS_unlinkat),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_access),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_lstat),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_mkdir),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_open),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_readlink),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_rename),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_rmdir),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_stat),
    #[cfg(target_arch = "x86_64")]
    Any(libc::SYS_unlink),
];

/// What no program of the node ever does and an intruder would try: it ends the process at once.
/// Every other call that is in no list is refused and nothing more, because a library may try one in
/// good faith, and a person's twin should then go on rather than end.
pub(super) const HOSTILE: &[i64] = &[
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_finit_module,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Of a map or a change of one.
pub(super) const NO_CODE: Rule = Without(2, libc::PROT_EXEC as u32);

const THREAD: u32 = (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND) as u32;

const NAMESPACES: u32 = (libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS
    | libc::CLONE_PTRACE) as u32;
