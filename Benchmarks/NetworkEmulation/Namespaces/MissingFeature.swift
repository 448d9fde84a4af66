import CNetworkEmulation
import Foundation

/// What a machine lacks for namespaces of its users, in words.
struct MissingFeature {
    private let step: CNetworkEmulation_step
    private let code: CInt
    private let setting: (String) -> String?

    /// - Parameters:
    ///   - code: the errno with which the step failed.
    ///   - setting: the value of a file under /proc/sys; nil when this kernel has none.
    init(
        _ step: CNetworkEmulation_step,
        _ code: CInt,
        setting: @escaping (String) -> String? = { MissingFeature.read($0) }
    ) {
        self.step = step
        self.code = code
        self.setting = setting
    }

    var error: NetworkError {
        let reason = String(cString: strerror(self.code))
        return NetworkError(.unavailable, "this machine cannot emulate a network (\(reason)): \(self.advice)")
    }

    private var advice: String {
        switch self.step {
        case CNetworkEmulation_step_user, CNetworkEmulation_step_identity, CNetworkEmulation_step_network:
            self.namespaces
        case CNetworkEmulation_step_tun:
            self.device
        case CNetworkEmulation_step_device:
            "the TUN device cannot be given an address and an MTU"
        default:
            "no further process or descriptor can be made; see ulimit -u and ulimit -n"
        }
    }

    private var namespaces: String {
        if self.setting("user/max_user_namespaces") == "0" {
            return "no user namespaces are allowed; as root, run sysctl user.max_user_namespaces=10000"
        }
        if self.setting("user/max_net_namespaces") == "0" {
            return "no network namespaces are allowed; as root, run sysctl user.max_net_namespaces=10000"
        }
        if self.setting("kernel/unprivileged_userns_clone") == "0" {
            return "users may not make user namespaces; as root, run sysctl kernel.unprivileged_userns_clone=1"
        }
        if self.setting("kernel/apparmor_restrict_unprivileged_userns") == "1" {
            return "AppArmor restricts user namespaces; as root, run "
                + "sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        }
        if self.code == ENOSPC || self.code == EUSERS {
            return "there are too many namespaces; as root, raise the sysctl user.max_user_namespaces"
        }
        if self.code == EINVAL {
            return "the kernel has no user namespaces or no network namespaces (CONFIG_USER_NS, CONFIG_NET_NS)"
        }
        return "user namespaces are refused although no sysctl forbids them, as by the seccomp filter of a container; "
            + "with Docker, run it with --security-opt seccomp=unconfined"
    }

    private var device: String {
        switch self.code {
        case ENOENT, ENODEV, ENXIO:
            "there is no /dev/net/tun; as root, run modprobe tun, or give a container --device /dev/net/tun"
        case EACCES, EPERM:
            "/dev/net/tun may not be opened; as root, run chmod 666 /dev/net/tun, or give a container "
                + "--device /dev/net/tun"
        default:
            "/dev/net/tun makes no device"
        }
    }

    private static func read(_ name: String) -> String? {
        // A setting that this kernel does not have forbids nothing.
        (try? String(contentsOfFile: "/proc/sys/\(name)", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
