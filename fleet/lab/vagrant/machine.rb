# Writes down how a machine is reached, where `./inv` looks for it: beside what Vagrant itself keeps of the machine, and gone with that.
#
#   .vagrant/machines/<name>/<provider>/known_hosts   the keys of its first start: another is refused
#   .vagrant/machines/<name>/<provider>/host.yml      address, port, user, identity_file, known_hosts
require "yaml"
require_relative "entry"

module SkiffLab
  class Machine
    KEYS = "cat /etc/ssh/ssh_host_*_key.pub"

    def initialize(machine)
      @machine = machine
    end

    def tell
      info = @machine.ssh_info
      raise Fault, "#{@machine.name}: Vagrant does not tell how it is reached" unless info
      keys = host_keys
      check(keys)
      at = info[:port].to_i == 22 ? info[:host] : "[#{info[:host]}]:#{info[:port]}"
      write("known_hosts", keys.map { |key| "#{at} #{key}\n" }.join)
      write("host.yml", YAML.dump({
        "address" => info[:host], "port" => info[:port].to_i, "user" => info[:username],
        "identity_file" => info[:private_key_path].to_a.find { |path| File.exist?(path) }, "known_hosts" => "known_hosts"
      }.compact))
      @machine.ui.info("in Skiff's group lab: ./inv provision --hosts #{@machine.name}")
    end

    private

    # Its public host keys, each as type and key, by the login that Vagrant has.
    def host_keys
      said = +""
      @machine.communicate.execute(KEYS) { |stream, text| said << text if stream == :stdout }
      keys = said.lines.map { |line| line.split[0, 2].join(" ") }
      raise Fault, "#{@machine.name}: it shows no host key, so nothing could tell it from another" if keys.empty?
      keys
    end

    def check(keys)
      known = @machine.data_dir.join("known_hosts")
      return unless known.exist?
      pinned = known.readlines.map { |line| line.split[1, 2].join(" ") }
      return unless (pinned & keys).empty?
      raise Fault, "#{@machine.name}: its host keys are not those of its first start. If you changed them yourself, remove #{known}"
    end

    def write(name, text)
      aside = @machine.data_dir.join(".#{name}")
      aside.write(text)
      aside.rename(@machine.data_dir.join(name))
    end
  end
end
