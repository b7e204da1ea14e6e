"""One Kubernetes node with real containers, in namespaces of its own.

How a node comes to be, and which program does what:

    host.py     on the host: writes what the node reads, starts `hold`, imports images, stops all
    hold.py     enters control groups of its own, becomes `unshare`, whose end ends the node
    enter.py    process 1 of the node, as root of empty namespaces: mounts its root file system
    init.py     process 1 from then on: the network, then containerd, kubelet, kube-proxy and
                `volumes`, each started again when it ends
    volumes.py  makes and removes the volumes that claims ask for
    forward.py  carries a port of the host's loopback address into the node's network
    namespaces.py  the calls that Python lacks, for `hold` and `forward`

The kubelet and kube-proxy are built with the control plane; everything else, containerd and runc
among it, is Debian's, in a root file system of the node's own. So the host needs nothing but
root, and the node is the same on every Linux.
"""
