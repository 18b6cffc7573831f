# Reads inventory/lab.yml for the Vagrantfile: machines, and how providers make them. A fault is told with its file, line and key.
require "digest"
require "ipaddr"
require_relative "entry"

module SkiffLab
  Spec = Struct.new(:name, :box, :box_url, :address, :memory, :cpus, :nested, keyword_init: true)

  class LabFile
    SIZE = %w[memory cpus nested].freeze
    TOP = [*SIZE, "libvirt", "hyperv", "machines"].freeze
    NEEDED = %w[name box address].freeze
    DRIVERS = %w[auto kvm qemu].freeze
    MODES = %w[host-passthrough host-model maximum].freeze
    NAME = /\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z/.freeze # a host's name, too
    WORD = /\A[^\s[:cntrl:]]+\z/.freeze
    LINE = /\A[^[:cntrl:]]+\z/.freeze

    attr_reader :machines, :driver, :cpu, :switch

    # The lab of a checkout, or of the file that SKIFF_LAB_FILE names.
    def self.read(checkout)
      file = ENV["SKIFF_LAB_FILE"].to_s
      file = File.join(checkout, "inventory", "lab.yml") if file.empty?
      new(Entry.load(file), File.expand_path(ENV["VAGRANT_DOTFILE_PATH"] || ".vagrant", checkout))
    end

    # `state` is where Vagrant keeps what it knows of these machines.
    def initialize(document, state)
      @state = state
      top = document.mapping(TOP)
      %w[memory cpus machines].each { |key| document.refuse "lacks the key #{key}" unless top.key?(key) }
      @machines = read_machines(top["machines"], { nested: false }.merge(sizes(top)))
      libvirt = top["libvirt"] ? top["libvirt"].mapping(%w[driver cpu]) : {}
      hyperv = top["hyperv"] ? top["hyperv"].mapping(%w[switch]) : {}
      @driver = choose_driver(libvirt["driver"])
      @cpu = choose_cpu(libvirt["cpu"])
      @switch = hyperv["switch"] ? hyperv["switch"].string(LINE, "the name of a virtual switch") : "Default Switch"
    end

    # What libvirt's names begin with: those of no other lab's do.
    def prefix
      "skiff-lab-#{Digest::SHA256.hexdigest(@state)[0, 8]}-"
    end

    private

    def sizes(entries)
      found = {}
      found[:memory] = entries["memory"].whole(256) if entries["memory"]
      found[:cpus] = entries["cpus"].whole(1) if entries["cpus"]
      found[:nested] = entries["nested"].boolean if entries["nested"]
      found
    end

    def read_machines(list, common)
      seen = {}
      list.sequence.map do |entry|
        entries = entry.mapping([*NEEDED, "box_url", *SIZE])
        NEEDED.each { |key| entry.refuse "lacks the key #{key}" unless entries.key?(key) }
        %w[name address].each do |key|
          taken = [key, entries[key].value]
          entries[key].refuse "#{entries[key].kind} is another machine's too" if seen.key?(taken)
          seen[taken] = true
        end
        Spec.new(**common, **sizes(entries), **identity(entries))
      end
    end

    def identity(entries)
      {
        name: entries["name"].string(NAME, "a host's name of small letters, digits and dashes"),
        box: entries["box"].string(WORD, "the name of a Vagrant box"),
        box_url: entries["box_url"]&.string(LINE, "where the box is, a file or an address"),
        address: read_address(entries["address"]),
      }
    end

    def read_address(entry)
      IPAddr.new(entry.string(/\A[0-9a-f.:]+\z/i, "an IP address"))
      entry.value
    rescue IPAddr::Error
      entry.refuse "should be an IP address, not #{entry.kind}"
    end

    # KVM where this machine has it, and else emulation, which is ten times slower; SKIFF_LAB_DRIVER has the last word.
    def choose_driver(entry)
      chosen = ENV["SKIFF_LAB_DRIVER"].to_s
      raise Fault, "SKIFF_LAB_DRIVER should be one of #{DRIVERS.join(", ")}, not #{chosen.inspect}" unless ["", *DRIVERS].include?(chosen)
      written = entry ? entry.string(/\A(#{DRIVERS.join("|")})\z/, "one of #{DRIVERS.join(", ")}") : "auto"
      chosen = written if chosen.empty?
      chosen == "auto" ? (kvm? ? "kvm" : "qemu") : chosen
    end

    # A device alone is not enough: containers and some clouds have one that starts nothing.
    def kvm?
      return false unless File.exist?("/dev/kvm")
      told = File.read("/proc/cpuinfo")
      !told.match?(/^vendor_id/) || told.match?(/^flags\s.*\b(vmx|svm)\b/)
    end

    # libvirt's mode and model: this machine's processor under KVM, all that QEMU can emulate without, or what the file names.
    def choose_cpu(entry)
      chosen = ENV["SKIFF_LAB_CPU"].to_s
      chosen = entry.string(WORD, "a mode or model of libvirt's") if chosen.empty? && entry
      chosen = @driver == "kvm" ? "host-passthrough" : "maximum" if chosen.empty?
      MODES.include?(chosen) ? [chosen, nil] : ["custom", chosen]
    end
  end
end
